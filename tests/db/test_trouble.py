"""Breakers of pools, from the rows of failed stages."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from myriad import clock
from myriad.breaker import BreakerState
from myriad.claimant import Claimant
from myriad.db.commit import RetryRule, advance, give_up
from myriad.db.database import Database
from myriad.db.due import reclaim_expired, take_due
from myriad.db.intake import submit
from myriad.db.tables import StageRunRow
from myriad.db.trouble import RULE, Trouble, find_trouble
from myriad.errors import ModelUnavailable, MyriadError, OutOfMemory, StageFailed
from myriad.job import Stage
from myriad.pool import Pool
from tests.db.steps import expire_lease, take
from tests.submissions import MODEL, make_submission

PATIENT = RetryRule(max_tries=100, delay_s=0)


def new_job(db: Database) -> str:
    return submit(db, make_submission(use_cache=False)).job_id


def fail(db: Database, job_id: str, by: Claimant, error: MyriadError | None = None) -> None:
    lease = take(db, job_id, Stage.ENCODE, by)
    assert give_up(db, lease, error or ModelUnavailable("the hub is away"), PATIENT)


def fail_five(db: Database, by: Claimant) -> Trouble:
    for _ in range(5):
        fail(db, new_job(db), by)
    (trouble,) = find_trouble(db)
    return trouble


def let_pass(db: Database, seconds: float) -> None:
    """As if all that happened had happened earlier."""
    past = timedelta(seconds=seconds)
    with db.write() as session:
        session.execute(
            update(StageRunRow).values(
                started_at=clock.now() - past, finished_at=clock.now() - past
            )
        )


def test_failures_in_a_row_open_it_and_it_is_tried_again(db: Database, worker: Claimant) -> None:
    for _ in range(4):
        fail(db, new_job(db), worker)
    assert find_trouble(db) == []
    fail(db, new_job(db), worker)
    (trouble,) = find_trouble(db)
    assert (trouble.pool, trouble.stage, trouble.model) == ("all", "encode", MODEL.name)
    assert trouble.state(clock.now()) is BreakerState.OPEN
    let_pass(db, RULE.first_s + 1)
    (trouble,) = find_trouble(db)
    assert trouble.state(clock.now()) is BreakerState.HALF_OPEN
    assert not trouble.is_probed
    lease = take(db, new_job(db), Stage.ENCODE, worker)
    assert find_trouble(db)[0].is_probed
    assert advance(db, lease, "out")
    assert find_trouble(db) == []


def test_each_failure_more_doubles_the_pause_up_to_a_limit(db: Database, worker: Claimant) -> None:
    fail_five(db, worker)
    fail(db, new_job(db), worker)
    (trouble,) = find_trouble(db)
    pause_s = (trouble.until - clock.now()).total_seconds()
    assert RULE.first_s < pause_s <= RULE.first_s * 2
    assert RULE.pause(1000).total_seconds() == RULE.longest_s


def test_one_bad_job_opens_nothing(db: Database, worker: Claimant) -> None:
    bad = new_job(db)
    for _ in range(8):
        fail(db, bad, worker, StageFailed("it always does"))
    assert find_trouble(db) == []


def test_one_dead_worker_opens_nothing_three_do(db: Database) -> None:
    for number in range(3):
        by = Claimant(f"all@host.{number}.aa", "all", "cpu")
        jobs = [new_job(db) for _ in range(6)]
        for job_id in jobs:
            take(db, job_id, Stage.ENCODE, by)
            expire_lease(db, job_id)
        assert set(reclaim_expired(db, PATIENT)) == set(jobs)
        assert len(find_trouble(db)) == (1 if number == 2 else 0)


@pytest.mark.parametrize("error", [OutOfMemory("too large"), None])
def test_what_is_not_the_pool_s_fault_does_not_count(
    db: Database, worker: Claimant, error: MyriadError | None
) -> None:
    for number in range(8):
        if error is None and number % 4 == 3:
            assert advance(db, take(db, new_job(db), Stage.ENCODE, worker), "out")
        fail(db, new_job(db), worker, error)
    assert find_trouble(db) == []


def test_another_pool_and_another_model_are_not_concerned(db: Database, worker: Claimant) -> None:
    fail_five(db, worker)
    waiting = new_job(db)
    pool, spare = (Pool(name=name, stages=tuple(Stage)) for name in ("all", "spare"))
    names = [trouble.model for trouble in find_trouble(db) if trouble.pool == spare.name]
    hints = take_due(db, pool, Stage.ENCODE, limit=99, redispatch_s=0, without=[MODEL.name])
    assert hints == []
    hints = take_due(db, spare, Stage.ENCODE, limit=99, redispatch_s=60, without=names)
    assert waiting in {hint.job_id for hint in hints}


def test_old_failures_are_forgotten(db: Database, worker: Claimant) -> None:
    fail_five(db, worker)
    let_pass(db, 3600)
    assert find_trouble(db) == []
