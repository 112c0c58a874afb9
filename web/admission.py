"""Which new jobs come too late to be worth queueing."""

from time import monotonic

from myriad.db.admission import Limit, finish_rate
from myriad.farm import Farm
from myriad.model import Model

_RATE_LASTS_S = 0.5
_IN_TIME = 0.8
"""Share of a deadline that the mean wait may take: the waits of single jobs scatter."""


class Admission:
    """Makes the limit for each new job, by its deadline and the operator's longest wait.

    How fast the farm works is looked up twice a second at most; how much it has to
    do is looked up with each job, in the transaction that would make it.
    """

    def __init__(self, farm: Farm) -> None:
        self._farm = farm
        self._rates: dict[str, tuple[float, float | None]] = {}

    def limit(self, model: Model, deadline_s: float | None) -> Limit | None:
        """What to hand to `submit`; None lets the job in."""
        waits = [self._farm.settings.max_wait_s or None, deadline_s and deadline_s * _IN_TIME]
        wait_s = min((wait for wait in waits if wait is not None), default=None)
        rate = None if wait_s is None else self._rate(model.name)
        if wait_s is None or rate is None:
            return None
        return Limit(self._neighbours(model.name), rate, wait_s)

    def _rate(self, name: str) -> float | None:
        """Jobs a second, of the model and those that share its workers; None if unknown."""
        until, rate = self._rates.get(name, (0.0, None))
        if monotonic() >= until:
            rate = finish_rate(self._farm.db, self._neighbours(name))
            self._rates[name] = (monotonic() + _RATE_LASTS_S, rate)
        return rate

    def _neighbours(self, name: str) -> tuple[str, ...]:
        shared = [pool for pool in self._farm.pools if pool.serves(pool.stages[0], name)]
        if any("*" in pool.models for pool in shared):
            return tuple(self._farm.catalog)
        return tuple({other for pool in shared for other in pool.models})
