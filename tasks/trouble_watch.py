"""Which models dispatch sends a pool no hints of, and when it tries one again."""

from math import ceil
from time import monotonic

import structlog

from myriad import clock
from myriad.breaker import BreakerState
from myriad.db.trouble import Trouble, find_trouble
from myriad.farm import Farm
from myriad.job import Stage
from myriad.pool import Pool

_LOOK_EVERY_S = 1.0
_PROBE = "probe:{}"

_log = structlog.get_logger(__name__)


class TroubleWatch:
    """The breakers of the farm's pools as of a second ago. Other pools get the work meanwhile.

    While a breaker is open, jobs that no other pool serves wait, and keep their tries.
    """

    def __init__(self, farm: Farm) -> None:
        self._farm = farm
        self._look_due = 0.0
        self._found: list[Trouble] = []

    def models(self, pool: Pool, stage: Stage) -> list[str]:
        """Models whose `stage` the pool is in trouble with."""
        return [trouble.model for trouble in self._of(pool, stage)]

    def to_probe(self, pool: Pool, stage: Stage) -> list[str]:
        """Those whose pause is over and of which this dispatcher may send one hint.

        One of all dispatchers wins, by a key in Redis. Raises RedisError.
        """
        return [
            trouble.model
            for trouble in self._of(pool, stage)
            if trouble.state(clock.now()) is BreakerState.HALF_OPEN
            and not trouble.is_probed
            and self._is_first(trouble)
        ]

    def not_probed(self, pool: Pool, stage: Stage, model: str) -> None:
        """There was nothing to probe with: let the next round try. Raises RedisError."""
        for trouble in self._of(pool, stage):
            if trouble.model == model:
                self._farm.redis.delete(_PROBE.format(trouble.name))

    def _is_first(self, trouble: Trouble) -> bool:
        redispatch_s = ceil(self._farm.settings.redispatch_s)
        return bool(self._farm.redis.set(_PROBE.format(trouble.name), 1, nx=True, ex=redispatch_s))

    def _of(self, pool: Pool, stage: Stage) -> list[Trouble]:
        if monotonic() >= self._look_due:
            self._look_due = monotonic() + _LOOK_EVERY_S
            self._look()
        return [each for each in self._found if (each.pool, each.stage) == (pool.name, stage)]

    def _look(self) -> None:
        before = {trouble.name for trouble in self._found}
        self._found = find_trouble(self._farm.db)
        for trouble in self._found:
            if trouble.name not in before:
                _log.warning("pool_in_trouble", what=trouble.name, failures=trouble.failures)
