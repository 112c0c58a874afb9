"""What a worker measures reaches SQL with its heartbeat."""

import pytest

from myriad.db.workers import live_workers
from myriad.farm import Farm
from tests.processes import FAST_WORKER, JANITOR, Processes, wait_until
from tests.tasks.jobs import post


@pytest.fixture
def migrated_url(migrated_sqlite_url: str) -> str:
    """One database is enough here."""
    return migrated_sqlite_url


def test_checkpoints_are_reported_by_who_stored_them(farm: Farm, processes: Processes) -> None:
    post(farm, "slow", 100)
    for command in (FAST_WORKER, JANITOR):
        processes.start(command)

    def is_told() -> bool:
        return any(worker.measured.checkpoints for worker in live_workers(farm.db, within_s=60))

    wait_until(is_told, what=processes.logs)
