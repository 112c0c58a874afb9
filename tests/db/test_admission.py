"""Jobs that come too late are refused before they are rows; those that need no run never are."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, update

from myriad import clock
from myriad.claimant import Claimant
from myriad.db.admission import Limit
from myriad.db.database import Database
from myriad.db.intake import submit
from myriad.db.pace import Pace, finish_pace
from myriad.db.tables import JobRow, StageRunRow
from myriad.errors import Overloaded, RateLimited
from tests.db.steps import count, run_whole
from tests.submissions import MODEL, make_submission

MODELS = (MODEL.name,)
COST = make_submission().params.megapixel_steps
PACE = Pace(jobs_per_s=1.0, mean_cost=COST)
FULL = Limit(MODELS, PACE, wait_s=2.5)
"""Room for two jobs."""


def run_at(db: Database, by: Claimant, begin_s: float, end_s: float, start: datetime) -> str:
    """A finished job that was in the farm for that while, in seconds after `start`."""
    job_id = submit(db, make_submission(f"{begin_s} to {end_s}")).job_id
    run_whole(db, job_id, by)
    begin, end = start + timedelta(seconds=begin_s), start + timedelta(seconds=end_s)
    with db.write() as session:
        session.execute(update(JobRow).where(JobRow.id == job_id).values(created_at=begin))
        runs = update(StageRunRow).where(StageRunRow.job_id == job_id)
        session.execute(runs.values(finished_at=end))
    return job_id


def jobs_per_s(db: Database) -> float:
    pace = finish_pace(db, MODELS)
    assert pace is not None
    return pace.jobs_per_s


def test_too_few_ends_tell_nothing(db: Database, worker: Claimant) -> None:
    start = clock.now() - timedelta(seconds=30)
    for at in range(4):
        run_at(db, worker, at, at + 1, start)
    assert finish_pace(db, MODELS) is None
    run_at(db, worker, 4, 5, start)
    pace = finish_pace(db, MODELS)
    assert pace is not None
    assert pace.mean_cost == pytest.approx(COST)
    assert jobs_per_s(db) == pytest.approx(1.0)
    assert finish_pace(db, ["another"]) is None


def test_idle_time_does_not_count_and_company_counts_once(db: Database, worker: Claimant) -> None:
    start = clock.now() - timedelta(seconds=100)
    run_at(db, worker, 0, 1, start)
    run_at(db, worker, 50, 51, start)  # idle before it
    for begin in (60, 60.5, 61):  # three within three seconds
        run_at(db, worker, begin, begin + 2, start)
    assert jobs_per_s(db) == pytest.approx(4 / (1 + 3))


def test_ends_of_long_ago_tell_nothing(db: Database, worker: Claimant) -> None:
    start = clock.now() - timedelta(hours=1)
    for at in range(6):
        run_at(db, worker, at, at + 1, start)
    assert finish_pace(db, MODELS) is None


def test_the_rate_falls_while_nothing_ends(db: Database, worker: Claimant) -> None:
    start = clock.now() - timedelta(seconds=60)
    for at in range(5):
        run_at(db, worker, at, at + 1, start)
    stuck = submit(db, make_submission("stuck")).job_id
    with db.write() as session:
        begun = {"state": "running", "created_at": start + timedelta(seconds=20)}
        session.execute(update(JobRow).where(JobRow.id == stuck).values(**begun))
    assert jobs_per_s(db) == pytest.approx(4 / (4 + 40), rel=0.3)


def test_no_row_is_made_beyond_the_limit(db: Database) -> None:
    for prompt in "ab":
        submit(db, make_submission(prompt), limit=FULL)
    with pytest.raises(Overloaded, match=r"about 3 seconds, more than 2\.5") as caught:
        submit(db, make_submission("c"), limit=FULL)
    assert caught.value.retry_after_s == pytest.approx(1.0)
    assert count(db, JobRow) == 2
    submit(db, make_submission("d"))
    submit(db, make_submission("e"), limit=Limit(["another"], PACE, 2.0))


def test_a_deadline_is_the_caller_s_own_to_mend(db: Database) -> None:
    own = Limit(MODELS, PACE, wait_s=1.5, is_own=True)
    submit(db, make_submission("a"), limit=own)
    with pytest.raises(RateLimited) as caught:
        submit(db, make_submission("b"), limit=own)
    assert caught.value.field == "deadline_s"


def test_work_counts_not_heads(db: Database) -> None:
    submit(db, make_submission("a film", num_inference_steps=40))
    with pytest.raises(Overloaded, match="about 11 seconds"):
        submit(db, make_submission("b"), limit=FULL)
    light = Limit(MODELS, Pace(1.0, COST * 4), wait_s=3.5)
    submit(db, make_submission("c"), limit=light)
    with pytest.raises(Overloaded):
        submit(db, make_submission("d", num_inference_steps=12), limit=light)


def test_an_idle_farm_takes_any_job(db: Database) -> None:
    slow = Limit(MODELS, Pace(0.1, COST), wait_s=1.0)
    submit(db, make_submission("a"), limit=slow)
    with pytest.raises(Overloaded):
        submit(db, make_submission("b"), limit=slow)


def test_only_jobs_that_go_before_it_count(db: Database, worker: Claimant) -> None:
    run_whole(db, submit(db, make_submission("ended")).job_id, worker)
    for prompt in "abc":
        submit(db, make_submission(prompt, priority=-1))
    submit(db, make_submission("urgent"), limit=FULL)
    with pytest.raises(Overloaded):
        submit(db, make_submission("not urgent", priority=-1), limit=FULL)


def test_what_needs_no_run_is_never_refused(db: Database, worker: Claimant) -> None:
    run_whole(db, submit(db, make_submission("drawn")).job_id, worker)
    submit(db, make_submission("keyed", idempotency_key="k", request_hash="h"))
    submit(db, make_submission("in flight"))
    joined = submit(db, make_submission("in flight"), limit=FULL)
    submit(db, make_submission("drawn"), limit=FULL)
    again = make_submission("keyed", idempotency_key="k", request_hash="h")
    assert submit(db, again, limit=FULL).is_replay
    with pytest.raises(Overloaded):
        submit(db, make_submission("drawn", use_cache=False), limit=FULL)
    with db.read() as session:
        joiners = session.scalars(select(JobRow.id).where(JobRow.leader_id.is_not(None))).all()
    assert joiners == [joined.job_id]
