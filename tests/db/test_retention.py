"""What is old goes, in small batches, however many janitors are at it; the rest stays."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from sqlalchemy import update

from myriad import clock
from myriad.claimant import Claimant
from myriad.db.cancel import cancel_job
from myriad.db.database import Database
from myriad.db.inputs import find_inputs, keep_input
from myriad.db.intake import submit
from myriad.db.jobs import find_job
from myriad.db.retention import (
    JOBS_AT_ONCE,
    expire_history,
    expire_inputs,
    expire_jobs,
    storage_known_since,
)
from myriad.db.tables import (
    Base,
    BatchRow,
    EventRow,
    IdempotencyKeyRow,
    InputRow,
    JobRow,
    StageRunRow,
    WebhookDeliveryRow,
)
from tests.db.statements import listening, statements
from tests.db.steps import count, run_whole
from tests.submissions import make_submission

DIGEST = "c" * 64


def cutoff() -> datetime:
    return clock.now() - timedelta(days=7)


def age(db: Database, table: type[Base], *columns: str) -> None:
    """As if these moments had been nine days ago."""
    past = clock.now() - timedelta(days=9)
    with db.write() as session:
        session.execute(update(table).values(dict.fromkeys(columns, past)))


def test_old_jobs_go_and_young_and_live_ones_stay(db: Database, worker: Claimant) -> None:
    old = submit(db, make_submission("old", batch_id="b")).job_id
    live = submit(db, make_submission("live")).job_id
    run_whole(db, old, worker)
    age(db, JobRow, "created_at", "started_at")
    with db.write() as session:
        session.add(BatchRow(id="b", total=1, created_at=clock.now() - timedelta(days=9)))
    young = submit(db, make_submission("young")).job_id
    run_whole(db, young, worker)
    assert expire_jobs(db, cutoff()).job_ids == ()
    with db.write() as session:
        session.get_one(JobRow, old).completed_at = clock.now() - timedelta(days=9)
    remains = expire_jobs(db, cutoff())
    assert remains.job_ids == (old,)
    assert remains.files == ()  # the young one's picture has the same bytes
    assert {find_job(db, job_id, scope="").id for job_id in (live, young)} == {live, young}
    assert count(db, BatchRow) == 0


def test_what_is_owed_or_bound_stays(db: Database, worker: Claimant) -> None:
    told = submit(db, make_submission("told", webhook="https://a.example/")).job_id
    bound = submit(db, make_submission("bound", idempotency_key="k", request_hash="h")).job_id
    for job_id in (told, bound):
        run_whole(db, job_id, worker)
    age(db, JobRow, "created_at", "started_at", "completed_at")
    assert expire_jobs(db, cutoff()).job_ids == ()
    with db.write() as session:
        session.execute(update(WebhookDeliveryRow).values(state="given_up"))
    age(db, IdempotencyKeyRow, "expires_at")
    assert set(expire_jobs(db, cutoff()).job_ids) == {told, bound}


def test_a_database_that_is_upgraded_knows_its_own_bytes(db: Database) -> None:
    submit(db, make_submission())
    age(db, JobRow, "created_at")
    assert storage_known_since(db) < cutoff()


def test_many_at_once_delete_each_job_once(db: Database) -> None:
    jobs = [submit(db, make_submission(f"prompt {place}")).job_id for place in range(40)]
    for job_id in jobs:
        cancel_job(db, job_id, scope="")
    age(db, JobRow, "completed_at")
    assert len(expire_jobs(db, cutoff()).job_ids) == JOBS_AT_ONCE
    with ThreadPoolExecutor(3) as threads:
        swept = list(threads.map(lambda _: expire_jobs(db, cutoff()), range(3)))
    gone = [job_id for remains in swept for job_id in remains.job_ids]
    assert len(gone) == len(set(gone)) == 40 - JOBS_AT_ONCE
    assert count(db, JobRow) == 0


def test_inputs_go_when_no_job_has_named_them_for_long(db: Database) -> None:
    def keep(digest: str) -> None:
        keep_input(db, scope="", digest=digest, size_bytes=1, width=2, height=2)

    keep(DIGEST)
    keep("d" * 64)
    age(db, InputRow, "created_at")
    ended = submit(db, make_submission("used", image=DIGEST)).job_id
    cancel_job(db, ended, scope="")
    assert expire_inputs(db, cutoff()) == 1
    assert set(find_inputs(db, [DIGEST, "d" * 64], scope="")) == {DIGEST}
    age(db, InputRow, "used_at")
    keep(DIGEST)
    assert expire_inputs(db, cutoff()) == 0  # handed in again a moment ago
    age(db, InputRow, "created_at")
    live = submit(db, make_submission("waits", image=DIGEST)).job_id
    age(db, InputRow, "used_at")
    assert expire_inputs(db, cutoff()) == 0  # a job that waits will read it
    cancel_job(db, live, scope="")
    assert expire_inputs(db, cutoff()) == 1


def test_live_jobs_are_read_once_however_many_inputs_are_old(db: Database) -> None:
    for number in range(5):
        keep_input(db, scope="", digest=f"{number}" * 64, size_bytes=1, width=2, height=2)
    age(db, InputRow, "created_at")
    with statements(db) as said:
        assert expire_inputs(db, cutoff()) == 5
    assert sum("jobs.params" in statement for statement, _ in said) == 1


def test_an_input_named_while_it_is_about_to_go_stays(db: Database) -> None:
    keep_input(db, scope="", digest=DIGEST, size_bytes=1, width=2, height=2)
    age(db, InputRow, "created_at")
    just_before = iter([lambda: submit(db, make_submission("just before", image=DIGEST))])

    def name_it(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "jobs.params" in statement:
            next(just_before, lambda: None)()

    with listening(db, name_it):
        assert expire_inputs(db, cutoff()) == 0
    assert set(find_inputs(db, [DIGEST], scope="")) == {DIGEST}


def test_history_goes_and_the_picture_stays(db: Database, worker: Claimant) -> None:
    asked = make_submission("told", webhook="https://example.com")
    job_id = submit(db, asked).job_id
    run_whole(db, job_id, worker)
    tables: tuple[type[Base], ...] = (StageRunRow, EventRow, WebhookDeliveryRow)
    before = [count(db, table) for table in tables]
    assert all(before)
    assert expire_history(db, cutoff()) == 0
    age(db, JobRow, "completed_at")
    age(db, StageRunRow, "finished_at")
    age(db, EventRow, "created_at")
    age(db, WebhookDeliveryRow, "next_attempt_at")
    expire_history(db, cutoff())
    assert [count(db, table) for table in tables] == [0, 0, before[2]]  # not told yet
    with db.write() as session:
        session.execute(update(WebhookDeliveryRow).values(state="delivered"))
    assert expire_history(db, cutoff()) == before[2]
    assert len(find_job(db, job_id, scope="").images) == 1
