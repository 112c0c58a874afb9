"""What the janitor does when the machine's clock is set: a step must cost no job its lease."""

from datetime import datetime
from time import monotonic

import structlog

from myriad import clock
from myriad.db.clock_step import bring_forward
from myriad.farm import Farm

_log = structlog.get_logger(__name__)


class ClockWatch:
    """Compares the clock with one that nobody sets.

    After a step forward every lease seems to have run out: for the length of one
    lease nobody is taken for dead, so that live workers renew first. After a step
    back every due time lies too far ahead and is brought forward; so it is once at
    the start, since the clock may have been set while no janitor ran.
    """

    def __init__(self, farm: Farm) -> None:
        self._farm = farm
        self._lease_s = farm.settings.lease_s
        self._seen: tuple[datetime, float] | None = None
        self._wary_until = monotonic()

    def is_wary(self) -> bool:
        """Whether leases that seem to have run out prove nothing yet. Ask at every round."""
        step_s = self._step_s()
        if step_s is None or abs(step_s) > self._lease_s / 4:
            changed = bring_forward(self._farm.db, self._farm.settings)
            if step_s is not None:
                self._wary_until = monotonic() + self._lease_s
                _log.warning("clock_stepped", seconds=round(step_s), brought_forward=changed)
            self._seen = clock.now(), monotonic()
        return monotonic() < self._wary_until

    def _step_s(self) -> float | None:
        """Seconds the clock has been set by since the last step was told of; None at first."""
        if self._seen is None:
            return None
        at, tick = self._seen
        return (clock.now() - at).total_seconds() - (monotonic() - tick)
