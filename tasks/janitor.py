"""The janitor process: takes jobs back from the dead, re-sends lost hints, sweeps leftovers."""

from datetime import timedelta
from functools import partial
from itertools import islice
from time import monotonic

import structlog

from myriad import clock
from myriad.artifact import STORAGE_PREFIX
from myriad.db.deadline import EXPIRE_BATCH, expire_overdue
from myriad.db.due import RECLAIM_BATCH, reclaim_expired
from myriad.db.memory import welcome_again
from myriad.db.sweep import forget_idempotency_keys, live_jobs_among
from myriad.farm import Farm, open_farm
from myriad.log import set_up_logging
from myriad.settings import load_settings
from tasks.app import create_celery
from tasks.dispatch import Dispatcher
from tasks.loop import pulse_path, repeat, stop_on_signals
from tasks.neighbours import other_pools

_SWEEP_EVERY_S = 60.0
_SWEEP_KEYS = 500

_log = structlog.get_logger(__name__)


class Janitor:
    """Any number may run at once: each row is locked by whoever is at it."""

    def __init__(self, farm: Farm, dispatcher: Dispatcher) -> None:
        self._farm, self._dispatcher = farm, dispatcher
        self._sweep_due = monotonic() + _SWEEP_EVERY_S

    def run(self) -> bool:
        """One round; True if there may be more to do at once."""
        lost = reclaim_expired(self._farm.db, self._farm.retry_rule)
        if lost:
            _log.warning("leases_expired", jobs=lost)
        overdue = expire_overdue(self._farm.db)
        if overdue:
            _log.info("deadlines_exceeded", jobs=overdue)
        self._dispatcher.run()
        if monotonic() >= self._sweep_due:
            self._sweep_due = monotonic() + _SWEEP_EVERY_S
            self.sweep()
        return len(lost) == RECLAIM_BATCH or len(overdue) == EXPIRE_BATCH

    def sweep(self) -> None:
        """Forget old idempotency keys, and stored artifacts whose job has ended."""
        forget_idempotency_keys(self._farm.db)
        welcome_again(self._farm.db, partial(other_pools, self._farm))
        old = clock.now() - timedelta(seconds=self._farm.settings.artifact_ttl_s)
        keys = self._farm.storage.list_keys(STORAGE_PREFIX)
        past = [key for key, modified in islice(keys, _SWEEP_KEYS) if modified < old]
        live = live_jobs_among(self._farm.db, {_job_of(key) for key in past})
        for key in past:
            if _job_of(key) not in live:
                self._farm.storage.delete(key)


def _job_of(key: str) -> str:
    """The job whose artifact is stored under `key`."""
    return key.removeprefix(STORAGE_PREFIX).split("-")[0]


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
