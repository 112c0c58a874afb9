"""The janitor process: takes jobs back from the dead, re-sends lost hints, sweeps leftovers."""

from functools import partial
from time import monotonic

import structlog

from myriad import clock
from myriad.db.batch_end import end_forgotten_batches
from myriad.db.deadline import EXPIRE_BATCH, expire_overdue
from myriad.db.due import RECLAIM_BATCH, reclaim_expired
from myriad.db.memory import welcome_again
from myriad.db.sweep import forget_idempotency_keys
from myriad.errors import StorageUnavailable
from myriad.farm import Farm, open_farm
from myriad.log import set_up_logging
from myriad.settings import load_settings
from tasks.app import create_celery
from tasks.clock_watch import ClockWatch
from tasks.dispatch import Dispatcher
from tasks.loop import pulse_path, repeat, stop_on_signals
from tasks.neighbours import other_pools
from tasks.outage_watch import OutageWatch
from tasks.sweeper import Sweeper

_SWEEP_EVERY_S = 60.0

_log = structlog.get_logger(__name__)


class Janitor:
    """Any number may run at once: each row is locked by whoever is at it."""

    def __init__(self, farm: Farm, dispatcher: Dispatcher) -> None:
        self._farm, self._dispatcher = farm, dispatcher
        self._sweep_due = monotonic() + _SWEEP_EVERY_S
        self._sweeper = Sweeper(farm)
        self._clock_watch = ClockWatch(farm)
        self._outage_watch = OutageWatch(farm.settings.lease_s)

    def run(self) -> bool:
        """One round; True if there may be more to do at once."""
        # Both are asked at every round.
        is_wary = [self._outage_watch.is_wary(), self._clock_watch.is_wary()]
        lost = [] if any(is_wary) else self._reclaim()
        overdue = expire_overdue(self._farm.db)
        if overdue:
            _log.info("deadlines_exceeded", jobs=overdue)
        self._dispatcher.run()
        self._outage_watch.note_good_round()
        # By a clock that may be wrong, too much would be old.
        if monotonic() >= self._sweep_due and not any(is_wary):
            self._sweep_due = monotonic() + _SWEEP_EVERY_S
            if self._sweep_if_stored():
                self._sweep_due = monotonic()
            self._outage_watch.note_long_work()
        return len(lost) == RECLAIM_BATCH or len(overdue) == EXPIRE_BATCH

    def _reclaim(self) -> list[str]:
        lost = reclaim_expired(self._farm.db, self._farm.retry_rule)
        if lost:
            _log.warning("leases_expired", jobs=lost)
        return lost

    def _sweep_if_stored(self) -> bool:
        try:
            return self.sweep()
        except StorageUnavailable as error:
            # It tells nothing of the database, so leases are to be trusted as before.
            _log.warning("not_swept", error=error.message)
            return False

    def sweep(self) -> bool:
        """Forget what has had its day; True if there is more of it."""
        forget_idempotency_keys(self._farm.db)
        end_forgotten_batches(self._farm.db, clock.now())
        welcome_again(self._farm.db, partial(other_pools, self._farm))
        return self._sweeper.run()


def main() -> None:
    settings = load_settings()
    set_up_logging(settings)
    farm = open_farm(settings)
    janitor = Janitor(farm, Dispatcher(farm, create_celery(settings)))
    repeat(
        janitor.run,
        interval_s=settings.janitor_interval_s,
        stop=stop_on_signals(),
        pulse=pulse_path(settings.home, "janitor"),
    )
    farm.close()


if __name__ == "__main__":
    main()
