"""A worker that holds a model takes its jobs first, but nothing more urgent waits for that."""

from collections.abc import Collection
from datetime import timedelta

from sqlalchemy import update

from myriad import clock
from myriad.claimant import Claimant
from myriad.db.claim import claim
from myriad.db.commit import RetryRule, give_up
from myriad.db.database import Database
from myriad.db.due import take_due
from myriad.db.intake import submit
from myriad.db.resident_first import resident_first
from myriad.db.tables import JobRow
from myriad.errors import StageFailed
from myriad.job import Stage
from myriad.pool import Pool
from tests.db.steps import take
from tests.submissions import make_submission

WORKER = Claimant("all@host.1.aa", "all", "cpu", stages=tuple(Stage))
OTHER = Claimant("all@host.2.bb", "all", "cpu")


def post(db: Database, prompt: str, model: str, **values: object) -> str:
    job_id = submit(db, make_submission(prompt, **values)).job_id
    with db.write() as session:
        session.execute(update(JobRow).where(JobRow.id == job_id).values(model=model))
    return job_id


def instead(
    db: Database, named: str, held: Collection[str] = ("held",), by: Claimant = WORKER
) -> str | None:
    with db.read() as session:
        found = resident_first(session, by, named, Stage.ENCODE, held)
    return found.job_id if found else None


def test_the_oldest_of_the_models_that_are_held(db: Database) -> None:
    named = post(db, "named", "foreign")
    assert instead(db, named, ("held", "too")) is None
    first, second = post(db, "a", "too"), post(db, "b", "held")
    assert instead(db, named, ("held", "too")) == first
    assert instead(db, named) == second
    assert instead(db, named, ()) is None


def test_it_is_claimed_and_the_named_one_is_due_again(db: Database) -> None:
    named, waiting = post(db, "named", "foreign"), post(db, "waits", "held")
    pool = Pool(name="all", stages=tuple(Stage))
    assert len(take_due(db, pool, Stage.ENCODE, limit=9, redispatch_s=60)) == 2
    lease = claim(db, named, Stage.ENCODE, WORKER, 60, held_models=("held",))
    assert lease is not None
    assert lease.job_id == waiting
    again = take_due(db, pool, Stage.ENCODE, limit=9, redispatch_s=60)
    assert [hint.job_id for hint in again] == [named]


def test_only_one_that_waits_for_the_same_and_is_just_as_urgent(db: Database) -> None:
    named = post(db, "named", "foreign", priority=1)
    post(db, "less urgent", "held")
    take(db, post(db, "is held", "held", priority=1), Stage.ENCODE, OTHER)
    failed = post(db, "failed", "held", priority=1)
    lease = take(db, failed, Stage.ENCODE, OTHER)
    assert give_up(db, lease, StageFailed("x"), RetryRule(max_tries=3, delay_s=0))
    elsewhere = post(db, "at another stage", "held", priority=1)
    with db.write() as session:
        decoding = update(JobRow).where(JobRow.id == elsewhere)
        session.execute(decoding.values(stage=Stage.DECODE.value))
    assert instead(db, named) is None
    waiting = post(db, "waits", "held", priority=1)
    assert instead(db, named) == waiting
    assert instead(db, named, by=OTHER) is None


def test_a_job_with_a_deadline_stands_back_for_nobody(db: Database) -> None:
    named = post(db, "named", "foreign")
    post(db, "waits", "held")
    with db.write() as session:
        soon = clock.now() + timedelta(minutes=1)
        session.execute(update(JobRow).where(JobRow.id == named).values(deadline_at=soon))
    assert instead(db, named) is None
