"""Which new jobs come too late to be worth queueing."""

from time import monotonic

from myriad.db.admission import Limit
from myriad.db.pace import Pace, finish_pace
from myriad.farm import Farm
from myriad.model import Model

_PACES_LAST_S = 0.5
_IN_TIME = 0.8
"""Share of a deadline that the mean wait may take: the waits of single jobs scatter."""


class Admission:
    """Makes the limit for each new job, by its deadline and the operator's longest wait.

    How fast the farm works is looked up twice a second at most; how much it has to
    do is looked up with each job, in the transaction that would make it.
    """

    def __init__(self, farm: Farm) -> None:
        self._farm = farm
        self._paces: dict[str, tuple[float, Pace | None]] = {}

    def limit(self, model: Model, deadline_s: float | None) -> Limit | None:
        """What to hand to `submit`; None lets the job in."""
        longest_s = self._farm.settings.max_wait_s or None
        own_s = None if deadline_s is None else deadline_s * _IN_TIME
        wait_s = min((wait for wait in (longest_s, own_s) if wait is not None), default=None)
        pace = None if wait_s is None else self._pace(model.name)
        if wait_s is None or pace is None:
            return None
        return Limit(self._neighbours(model.name), pace, wait_s, is_own=wait_s == own_s)

    def _pace(self, name: str) -> Pace | None:
        """Of the model and those that share its workers; None if unknown."""
        until, pace = self._paces.get(name, (0.0, None))
        if monotonic() >= until:
            pace = finish_pace(self._farm.db, self._neighbours(name))
            self._paces[name] = (monotonic() + _PACES_LAST_S, pace)
        return pace

    def _neighbours(self, name: str) -> tuple[str, ...]:
        shared = [pool for pool in self._farm.pools if pool.serves(pool.stages[0], name)]
        if any("*" in pool.models for pool in shared):
            return tuple(self._farm.catalog)
        return tuple({other for pool in shared for other in pool.models})
