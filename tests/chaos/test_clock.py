"""The machine's clock is set, by NTP or by hand: no lease and no due time gets stuck."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from myriad import clock
from myriad.claimant import Claimant
from myriad.db.claim import claim, renew
from myriad.db.intake import submit
from myriad.db.jobs import find_job
from myriad.db.tables import JobRow, WebhookDeliveryRow
from myriad.errors import WorkerLost
from myriad.farm import Farm, open_farm
from myriad.job import EventKind, Stage
from myriad.lease import Lease
from myriad.settings import Settings
from tasks.app import create_celery
from tasks.dispatch import Dispatcher
from tasks.janitor import Janitor
from tests.chaos.clock_file import ClockFile
from tests.db.steps import has_due
from tests.submissions import make_submission

HOURS = 7200.0
LEASE_S = 20.0
WORKER = Claimant("one", "all", "cpu", tuple(Stage), ("*",))


@pytest.fixture
def clock_file(tmp_path: Path) -> Iterator[ClockFile]:
    yield ClockFile(tmp_path / "clock")
    clock.follow(None)


@pytest.fixture
def farm(
    tmp_path: Path, migrated_sqlite_url: str, redis_url: str, clock_file: ClockFile
) -> Iterator[Farm]:
    settings = Settings(
        home=tmp_path / "home",
        database_url=migrated_sqlite_url,
        redis_url=redis_url,
        clock_file=clock_file.path,
        lease_s=LEASE_S,
    )
    opened = open_farm(settings)
    yield opened
    opened.close()


@pytest.fixture
def janitor(farm: Farm) -> Janitor:
    """One that has seen the clock before it is set."""
    seasoned = Janitor(farm, Dispatcher(farm, create_celery(farm.settings)))
    seasoned.run()
    return seasoned


def test_two_hours_forward_take_no_job_from_a_live_worker(
    farm: Farm, janitor: Janitor, clock_file: ClockFile
) -> None:
    lease = _held_job(farm)
    clock_file.set(HOURS)
    janitor.run()
    # Redis delivers the hint again: its visibility timeout is an hour.
    assert claim(farm.db, lease.job_id, Stage.ENCODE, WORKER, LEASE_S) is None
    assert renew(farm.db, [lease], LEASE_S) == {lease.job_id}
    janitor.run()
    assert find_job(farm.db, lease.job_id, scope="").error_code is None


def test_two_hours_back_keep_no_job_with_a_dead_worker(
    farm: Farm, janitor: Janitor, clock_file: ClockFile
) -> None:
    lease = _held_job(farm)
    clock_file.set(-HOURS)
    janitor.run()
    with farm.db.read() as session:
        until = session.get_one(JobRow, lease.job_id).lease_until
    assert until is not None
    assert until <= clock.after(LEASE_S)


def test_a_worker_that_is_really_dead_is_found_after_a_step(
    farm: Farm, clock_file: ClockFile
) -> None:
    lease = _held_job(farm)
    clock_file.set(HOURS)
    fresh = Janitor(farm, Dispatcher(farm, create_celery(farm.settings)))
    fresh.run()
    assert find_job(farm.db, lease.job_id, scope="").error_code == WorkerLost.code


@pytest.mark.parametrize("is_new", [True, False], ids=["new janitor", "old janitor"])
def test_two_hours_back_leave_no_job_waiting_for_its_hint(
    farm: Farm, janitor: Janitor, clock_file: ClockFile, is_new: bool
) -> None:
    job_id = submit(farm.db, make_submission("a")).job_id
    assert has_due(farm.db, Stage.ENCODE)
    janitor.run()  # the hint goes out, and is lost with the broker
    farm.redis.flushall()
    clock_file.set(-HOURS)
    assert not has_due(farm.db, Stage.ENCODE)
    if is_new:
        janitor = Janitor(farm, Dispatcher(farm, create_celery(farm.settings)))
    janitor.run()
    assert claim(farm.db, job_id, Stage.ENCODE, WORKER, LEASE_S)
    assert sum(farm.redis.llen(pool.queue(Stage.ENCODE)) for pool in farm.pools) == 1


def test_two_hours_back_hold_up_no_webhook(
    farm: Farm, janitor: Janitor, clock_file: ClockFile
) -> None:
    asked = make_submission(
        "a", webhook="http://h.example/", webhook_events_filter=(EventKind.START,)
    )
    job_id = submit(farm.db, asked).job_id
    assert claim(farm.db, job_id, Stage.ENCODE, WORKER, LEASE_S)
    clock_file.set(-HOURS)
    assert _next_attempt_at(farm) > clock.after(HOURS / 2)
    janitor.run()
    assert _next_attempt_at(farm) <= clock.now()


def _next_attempt_at(farm: Farm) -> datetime:
    with farm.db.read() as session:
        return session.scalars(select(WebhookDeliveryRow.next_attempt_at)).one()


def _held_job(farm: Farm) -> Lease:
    job_id = submit(farm.db, make_submission("a")).job_id
    lease = claim(farm.db, job_id, Stage.ENCODE, WORKER, LEASE_S)
    assert lease is not None
    return lease
