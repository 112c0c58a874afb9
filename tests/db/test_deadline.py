"""A job past its deadline ends, wherever it stands, and takes nobody with it."""

from datetime import timedelta

from sqlalchemy import update

from myriad import clock
from myriad.claimant import Claimant
from myriad.db.claim import claim, renew
from myriad.db.commit import finish
from myriad.db.database import Database
from myriad.db.deadline import expire, expire_overdue
from myriad.db.intake import submit
from myriad.db.jobs import find_job
from myriad.db.tables import JobRow, StageRunRow
from myriad.job import JobState, Stage
from tests.db.steps import count, event_kinds, job_row, picture, run_to_decode, take
from tests.submissions import make_submission


def set_deadline(db: Database, job_id: str, in_s: float) -> None:
    at = clock.now() + timedelta(seconds=in_s)
    with db.write() as session:
        session.execute(update(JobRow).where(JobRow.id == job_id).values(deadline_at=at))


def test_a_queued_job_fails_at_its_deadline(db: Database) -> None:
    late, early, free = (submit(db, make_submission(name)).job_id for name in "abc")
    set_deadline(db, late, -1)
    set_deadline(db, early, 60)
    assert expire_overdue(db) == [late]
    assert expire_overdue(db) == []
    record = find_job(db, late, scope="")
    assert (record.state, record.error_code) == (JobState.FAILED, "deadline_exceeded")
    assert event_kinds(db, late) == ["completed"]
    assert {find_job(db, job_id, scope="").state for job_id in (early, free)} == {JobState.QUEUED}
    assert not expire(db, early)


def test_a_held_job_is_lost_to_its_worker(db: Database, worker: Claimant) -> None:
    job_id = submit(db, make_submission()).job_id
    lease = run_to_decode(db, job_id, worker)
    assert lease.deadline_at is None
    set_deadline(db, job_id, -1)
    assert expire_overdue(db) == [job_id]
    assert renew(db, [lease], 60) == set()
    assert not finish(db, lease, [picture()])
    assert find_job(db, job_id, scope="").images == ()
    with db.read() as session:
        run = session.get_one(StageRunRow, (job_id, lease.attempt))
        assert run.outcome == "deadline_exceeded"
        assert run.finished_at is not None


def test_the_lease_knows_the_deadline(db: Database, worker: Claimant) -> None:
    job_id = submit(db, make_submission()).job_id
    set_deadline(db, job_id, 60)
    lease = claim(db, job_id, Stage.ENCODE, worker, 60)
    assert lease is not None
    assert lease.deadline_at == job_row(db, job_id).deadline_at


def test_those_that_joined_go_on_without_it(db: Database, worker: Claimant) -> None:
    leader = submit(db, make_submission()).job_id
    take(db, leader, Stage.ENCODE, worker)
    joined = submit(db, make_submission()).job_id
    assert job_row(db, joined).leader_id == leader
    set_deadline(db, leader, -1)
    assert expire_overdue(db) == [leader]
    assert finish(db, run_to_decode(db, joined, worker), [picture()])
    assert find_job(db, joined, scope="").state is JobState.SUCCEEDED
    assert find_job(db, leader, scope="").state is JobState.FAILED
    assert count(db, JobRow) == 2
