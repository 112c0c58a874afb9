"""Batches in SQL: all or nothing, counted, ended once by whichever job ends last."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select, update

from myriad import clock
from myriad.claimant import Claimant
from myriad.db.batch_end import end_forgotten_batches
from myriad.db.batch_intake import BatchSubmission, find_batch_replay, submit_batch
from myriad.db.batches import begin_cancel, find_batch, list_batches
from myriad.db.cancel import cancel_job
from myriad.db.commit import finish
from myriad.db.database import Database
from myriad.db.delete import delete_job
from myriad.db.intake import submit
from myriad.db.jobs import list_jobs
from myriad.db.keys import create_key
from myriad.db.outbox import BATCH
from myriad.db.tables import BatchRow, JobRow, UsageRow, WebhookDeliveryRow
from myriad.db.usage import Allowance, usage_of_day
from myriad.errors import IdempotencyMismatch, InvalidRequest, NotFound, QuotaExceeded, TooManyJobs
from myriad.job import JobState
from myriad.record import JobRecord
from myriad.submission import Submission
from tests.db.steps import count, picture, run_to_decode, run_whole
from tests.submissions import make_submission

HOOK = "https://hooks.example/batch"
COST = make_submission().params.megapixel_steps


def ask(db: Database, *jobs: Submission, **options: Any) -> str:
    hook = options.pop("webhook", HOOK)
    return submit_batch(db, BatchSubmission(jobs, webhook=hook), **options).batch_id


def numbered(many: int, **values: Any) -> list[Submission]:
    return [make_submission("x", seed=seed, **values) for seed in range(many)]


def jobs_of(db: Database, batch_id: str) -> Sequence[JobRecord]:
    """In the order they were asked for."""
    return list_jobs(db, scope=None, batch=batch_id).jobs[::-1]


def owed(db: Database) -> list[tuple[str, str | None, str]]:
    """Job, batch and address of every delivery about a batch."""
    query = select(WebhookDeliveryRow).where(WebhookDeliveryRow.kind == BATCH)
    with db.read() as session:
        return [(row.job_id, row.batch_id, row.url) for row in session.scalars(query)]


def test_jobs_come_in_their_order_and_are_counted(db: Database, worker: Claimant) -> None:
    batch_id = ask(db, *numbered(4))
    jobs = jobs_of(db, batch_id)
    assert [job.params["seed"] for job in jobs] == [0, 1, 2, 3]
    assert find_batch(db, batch_id, scope="").progress == 0
    run_whole(db, jobs[2].id, worker)
    run_to_decode(db, jobs[0].id, worker)
    batch = find_batch(db, batch_id, scope="")
    found = {state: number for state, number in batch.counts.items() if number}
    assert found == {JobState.QUEUED: 2, JobState.RUNNING: 1, JobState.SUCCEEDED: 1}
    assert batch.progress == pytest.approx((1 + 0.9) / 4, abs=1e-3)
    assert (batch.status, batch.completed_at, owed(db)) == ("running", None, [])


def test_the_last_end_completes_it_and_owes_one_delivery(db: Database, worker: Claimant) -> None:
    batch_id = ask(db, *numbered(3))
    first, second, third = (job.id for job in jobs_of(db, batch_id))
    cancel_job(db, first, scope=None)
    run_whole(db, third, worker)
    assert owed(db) == []
    run_whole(db, second, worker)
    assert owed(db) == [(second, batch_id, HOOK)]
    batch = find_batch(db, batch_id, scope="")
    assert (batch.status, batch.progress) == ("completed", 1)


def test_of_two_last_ends_at_once_one_completes_it(db: Database, worker: Claimant) -> None:
    for _ in range(5):
        batch_id = ask(db, *numbered(2, use_cache=False))
        leases = [run_to_decode(db, job.id, worker) for job in jobs_of(db, batch_id)]
        with ThreadPoolExecutor(2) as threads:
            assert all(threads.map(lambda lease: finish(db, lease, [picture()]), leases))
        assert find_batch(db, batch_id, scope="").completed_at is not None
        assert [told for _, told, _ in owed(db)].count(batch_id) == 1


def test_answers_from_the_cache_and_shared_runs_count(db: Database, worker: Claimant) -> None:
    run_whole(db, submit(db, make_submission("known", seed=1)).job_id, worker)
    flying = submit(db, make_submission("in flight", seed=1)).job_id
    twins = [make_submission("new", seed=1)] * 2
    batch_id = ask(
        db, make_submission("known", seed=1), make_submission("in flight", seed=1), *twins
    )
    jobs = jobs_of(db, batch_id)
    assert [job.cache.value for job in jobs] == ["hit", "joined", "miss", "joined"]
    assert owed(db) == []
    run_whole(db, jobs[2].id, worker)
    run_whole(db, flying, worker)
    assert [told for _, told, _ in owed(db)] == [batch_id]


def test_one_that_the_cache_answers_is_complete_at_once(db: Database, worker: Claimant) -> None:
    run_whole(db, submit(db, make_submission(seed=1)).job_id, worker)
    batch_id = ask(db, *[make_submission(seed=1)] * 3)
    assert find_batch(db, batch_id, scope="").status == "completed"
    assert len(owed(db)) == 1


def test_a_deleted_job_does_not_keep_it_from_its_end(db: Database, worker: Claimant) -> None:
    batch_id = ask(db, *numbered(2))
    ended, live = (job.id for job in jobs_of(db, batch_id))
    run_whole(db, ended, worker)
    delete_job(db, live, scope=None)
    batch = find_batch(db, batch_id, scope="")
    assert (batch.status, batch.total, sum(batch.counts.values())) == ("completed", 2, 1)
    assert owed(db) == [(ended, batch_id, HOOK)]


def test_one_that_an_older_release_ended_is_completed_later(db: Database) -> None:
    batch_id = ask(db, *numbered(2))
    assert end_forgotten_batches(db, clock.now()) == 0
    with db.write() as session:  # as a process that knows no batches does
        session.execute(update(JobRow).values(state="canceled", completed_at=clock.now()))
    assert end_forgotten_batches(db, clock.now()) == 1
    assert find_batch(db, batch_id, scope="").status == "completed"
    assert len(owed(db)) == 1
    assert end_forgotten_batches(db, clock.now()) == 0


def test_deleting_all_of_it_at_once_breaks_nothing(db: Database, worker: Claimant) -> None:
    batch_id = ask(db, *numbered(6))
    jobs = [job.id for job in jobs_of(db, batch_id)]
    for job_id in jobs:
        run_whole(db, job_id, worker)
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(lambda job_id: delete_job(db, job_id, scope=None), jobs))
    assert count(db, JobRow) == 0


def test_the_same_request_again_is_the_same_batch(db: Database) -> None:
    jobs = numbered(3)
    jobs[0] = replace(jobs[0], idempotency_key="k", request_hash="h")
    asked = BatchSubmission(jobs)
    with ThreadPoolExecutor(4) as threads:
        intakes = list(threads.map(lambda _: submit_batch(db, asked), range(4)))
    assert len({intake.batch_id for intake in intakes}) == 1
    assert sorted(intake.is_replay for intake in intakes) == [False, True, True, True]
    assert (count(db, JobRow), count(db, BatchRow)) == (3, 1)
    found = find_batch_replay(db, scope="", key="k", request_hash="h")
    assert found == intakes[0].batch_id
    with pytest.raises(IdempotencyMismatch):
        find_batch_replay(db, scope="", key="k", request_hash="other")


@pytest.mark.parametrize(
    ("allowance", "refusal"),
    [
        (Allowance(max_queued=4), TooManyJobs),
        (Allowance(megapixel_steps_per_day=COST * 4.5), QuotaExceeded),
    ],
)
def test_limits_hold_for_the_whole(
    db: Database, allowance: Allowance, refusal: type[Exception]
) -> None:
    with pytest.raises(refusal, match=r"\b5\b"):
        ask(db, *numbered(5), allowance=allowance)
    assert [count(db, table) for table in (JobRow, BatchRow, UsageRow)] == [0, 0, 0]
    ask(db, *numbered(4), allowance=allowance)
    (usage,) = usage_of_day(db)
    assert (usage.jobs, usage.cost) == (4, pytest.approx(COST * 4))


def test_many_batches_of_the_same_jobs_at_once(db: Database) -> None:
    """In opposite orders: neither waits for the other forever, and each picture has one run."""
    jobs = numbered(20)
    with ThreadPoolExecutor(4) as threads:
        orders = [jobs, jobs[::-1]] * 2
        ids = list(threads.map(lambda order: ask(db, *order), orders))
    assert len(set(ids)) == 4
    with db.read() as session:
        leading = select(func.count()).where(JobRow.leader_id.is_(None))
        assert session.scalar(leading) == 20
    assert count(db, JobRow) == 80


def test_canceling_names_the_live_ones_once(db: Database, worker: Claimant) -> None:
    batch_id = ask(db, *numbered(3))
    ids = [job.id for job in jobs_of(db, batch_id)]
    run_whole(db, ids[0], worker)
    assert begin_cancel(db, batch_id, scope="") == [ids[2], ids[1]]
    for job_id in ids[1:]:
        cancel_job(db, job_id, scope="")
    assert find_batch(db, batch_id, scope="").status == "canceled"
    assert begin_cancel(db, batch_id, scope="") == []


def test_it_is_its_caller_s(db: Database) -> None:
    key_id, _ = create_key(db, "other")
    mine, other = ask(db, *numbered(1)), ask(db, *numbered(1, api_key_id=key_id))
    for look in (find_batch, begin_cancel):
        with pytest.raises(NotFound):
            look(db, mine, scope=key_id)
    assert [each.id for each in list_batches(db, scope=key_id).batches] == [other]
    assert {each.id for each in list_batches(db, scope=None).batches} == {mine, other}


def test_lists_go_on_over_pages(db: Database) -> None:
    ids = [ask(db, *numbered(1)) for _ in range(3)]
    page = list_batches(db, scope="", limit=2)
    rest = list_batches(db, scope="", limit=2, cursor=page.cursor)
    assert [each.id for each in (*page.batches, *rest.batches)] == ids[::-1]
    assert rest.cursor is None
    with pytest.raises(InvalidRequest):
        list_batches(db, scope="", cursor="nonsense")
