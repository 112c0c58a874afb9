"""What waits at which stage: told by one small index, however much else there is."""

import pytest
from sqlalchemy import update

from myriad.claimant import Claimant
from myriad.db.commit import advance
from myriad.db.database import Database
from myriad.db.due import take_due
from myriad.db.intake import submit
from myriad.db.tables import JobRow
from myriad.db.waiting import Line, due_models, has_above, lines_at
from myriad.job import Stage
from myriad.pool import Pool
from tests.db.statements import statements
from tests.db.steps import take
from tests.submissions import make_submission

POOL = Pool(name="all", stages=tuple(Stage))


def post(db: Database, prompt: str, model: str = "tiny", **values: object) -> str:
    job_id = submit(db, make_submission(prompt, **values)).job_id
    with db.write() as session:
        session.execute(update(JobRow).where(JobRow.id == job_id).values(model=model))
    return job_id


def due(db: Database) -> dict[Stage, set[str]]:
    with db.read() as session:
        return due_models(session)


def test_what_is_due_is_told_by_stage_and_model(db: Database, worker: Claimant) -> None:
    assert due(db) == {}
    post(db, "a", "one")
    job_id = post(db, "b", "two")
    assert due(db) == {Stage.ENCODE: {"one", "two"}}
    assert len(take_due(db, POOL, Stage.ENCODE, limit=9, redispatch_s=60, only="one")) == 1
    assert due(db) == {Stage.ENCODE: {"two"}}
    lease = take(db, job_id, Stage.ENCODE, worker)
    assert due(db) == {}
    assert advance(db, lease, "key")
    assert due(db) == {Stage.DENOISE: {"two"}}


def test_followers_are_not_due(db: Database) -> None:
    leader = post(db, "same", seed=1)
    assert post(db, "same", seed=1) != leader
    assert len(take_due(db, POOL, Stage.ENCODE, limit=9, redispatch_s=60)) == 1
    assert due(db) == {}


def test_lines_tell_length_and_highest_priority(db: Database, worker: Claimant) -> None:
    for number in range(3):
        job_id = post(db, f"a{number}", "one", priority=number)
        assert advance(db, take(db, job_id, Stage.ENCODE, worker), "key")
    held = post(db, "held", "two")
    take(db, held, Stage.ENCODE, worker)
    post(db, "b", "two")
    with db.read() as session:
        assert lines_at(session, [Stage.DENOISE, Stage.ENCODE]) == {
            Stage.DENOISE: [Line("one", 3, 2)],
            Stage.ENCODE: [Line("two", 1, 0)],
        }
        assert has_above(session, Stage.DENOISE, 1)
        assert not has_above(session, Stage.DENOISE, 2)


@pytest.mark.parametrize("above", [-1, 0])
def test_only_the_more_urgent_are_taken_if_asked_so(db: Database, above: int) -> None:
    plain, urgent = post(db, "plain"), post(db, "urgent", priority=1)
    hints = take_due(db, POOL, Stage.ENCODE, limit=9, redispatch_s=60, above=above)
    assert [hint.job_id for hint in hints] == ([urgent, plain] if above < 0 else [urgent])


def test_looking_reads_one_small_index(migrated_sqlite_url: str) -> None:
    db = Database(migrated_sqlite_url)
    with statements(db) as said:
        due(db)
    statement, values = said[-1]
    with db.read() as session:
        rows = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
        looks = [row[3] for row in rows if "jobs" in row[3]]
    db.close()
    assert looks
    assert all("ix_jobs_live (stage=?" in look for look in looks)
