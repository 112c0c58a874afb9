"""Caches, single flight and idempotency, decided in the transaction that makes the job."""

import base64
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from myriad.claimant import Claimant
from myriad.db.cancel import cancel_job
from myriad.db.commit import RetryRule, advance, finish, give_up, rewind
from myriad.db.database import Database
from myriad.db.due import take_due
from myriad.db.intake import submit
from myriad.db.jobs import find_job, list_jobs
from myriad.db.keys import create_key
from myriad.db.tables import JobRow
from myriad.errors import (
    IdempotencyMismatch,
    InvalidRequest,
    NotFound,
    OutOfMemory,
    PromptTooLong,
)
from myriad.job import CacheOutcome, JobState, Stage
from myriad.pool import Pool
from tests.db.steps import (
    count,
    delivery_kinds,
    event_kinds,
    job_row,
    picture,
    run_to_decode,
    run_whole,
    take,
)
from tests.submissions import make_submission


def test_the_same_request_again_is_a_hit(db: Database, worker: Claimant) -> None:
    first = submit(db, make_submission()).job_id
    run_whole(db, first, worker)
    again = find_job(db, submit(db, make_submission()).job_id, scope="")
    assert (again.cache, again.state) == (CacheOutcome.HIT, JobState.SUCCEEDED)
    assert again.params == find_job(db, first, scope="").params
    assert again.images == find_job(db, first, scope="").images
    assert event_kinds(db, again.id) == ["output", "completed"]


def test_a_seed_that_was_given_must_match(db: Database, worker: Claimant) -> None:
    run_whole(db, submit(db, make_submission(seed=1)).job_id, worker)
    other = find_job(db, submit(db, make_submission(seed=2)).job_id, scope="")
    same = find_job(db, submit(db, make_submission(seed=1)).job_id, scope="")
    any_seed = find_job(db, submit(db, make_submission()).job_id, scope="")
    assert other.cache is CacheOutcome.MISS
    assert same.cache is CacheOutcome.HIT
    assert (any_seed.cache, any_seed.params["seed"]) == (CacheOutcome.HIT, 1)


def test_no_cache_means_a_run_and_a_seed_of_its_own(db: Database, worker: Claimant) -> None:
    first = submit(db, make_submission()).job_id
    run_whole(db, first, worker)
    fresh = find_job(db, submit(db, make_submission(use_cache=False)).job_id, scope="")
    assert (fresh.cache, fresh.state) == (CacheOutcome.MISS, JobState.QUEUED)
    assert fresh.params["seed"] != find_job(db, first, scope="").params["seed"]


def test_identical_requests_at_once_are_one_run(db: Database, worker: Claimant) -> None:
    with ThreadPoolExecutor(8) as threads:
        ids = list(threads.map(lambda _: submit(db, make_submission()).job_id, range(20)))
    records = [find_job(db, job_id, scope="") for job_id in ids]
    leaders = [record for record in records if record.cache is CacheOutcome.MISS]
    assert len(leaders) == 1
    pool = Pool(name="all", stages=tuple(Stage))
    assert len(take_due(db, pool, Stage.ENCODE, limit=50, redispatch_s=60)) == 1
    run_whole(db, leaders[0].id, worker)
    for job_id in ids:
        record = find_job(db, job_id, scope="")
        assert record.state is JobState.SUCCEEDED
        assert len(record.images) == 1
        assert record.params == leaders[0].params
        assert event_kinds(db, job_id) == ["start", "output", "completed"]


def test_joining_late_says_running_and_raises_the_priority(db: Database, worker: Claimant) -> None:
    leader = submit(db, make_submission()).job_id
    take(db, leader, Stage.ENCODE, worker)
    joined = find_job(db, submit(db, make_submission(priority=7)).job_id, scope="")
    assert (joined.cache, joined.state) == (CacheOutcome.JOINED, JobState.RUNNING)
    assert job_row(db, leader).priority == 7


def test_those_who_joined_fail_with_the_run_and_failures_are_not_cached(
    db: Database, worker: Claimant
) -> None:
    leader = submit(db, make_submission()).job_id
    joined = submit(db, make_submission()).job_id
    lease = take(db, leader, Stage.ENCODE, worker)
    give_up(db, lease, PromptTooLong("too long"), RetryRule())
    assert find_job(db, joined, scope="").error_code == "prompt_too_long"
    again = find_job(db, submit(db, make_submission()).job_id, scope="")
    assert (again.cache, again.state) == (CacheOutcome.MISS, JobState.QUEUED)


def test_canceling_the_leader_hands_the_run_over(db: Database, worker: Claimant) -> None:
    leader = submit(db, make_submission()).job_id
    heir = submit(db, make_submission()).job_id
    third = submit(db, make_submission()).job_id
    advance(db, take(db, leader, Stage.ENCODE, worker), "embeds")
    stale = take(db, leader, Stage.DENOISE, worker)
    assert cancel_job(db, leader, scope="")
    assert not advance(db, stale, "late")
    taken = take(db, heir, Stage.DENOISE, worker)
    assert taken.artifact_key == "embeds"
    advance(db, taken, "latents")
    assert finish(db, take(db, heir, Stage.DECODE, worker), [picture()])
    states = [find_job(db, job_id, scope="").state for job_id in (leader, heir, third)]
    assert states == [JobState.CANCELED, JobState.SUCCEEDED, JobState.SUCCEEDED]
    newcomer = find_job(db, submit(db, make_submission()).job_id, scope="")
    assert newcomer.cache is CacheOutcome.HIT


def test_the_heir_takes_over_all_that_befell_the_run(db: Database, worker: Claimant) -> None:
    leader = submit(db, make_submission()).job_id
    heir, urgent = (submit(db, make_submission(priority=number)).job_id for number in (0, 7))
    advance(db, take(db, leader, Stage.ENCODE, worker), "embeds")
    assert rewind(db, take(db, leader, Stage.DENOISE, worker))
    lease, full = take(db, leader, Stage.ENCODE, worker), OutOfMemory("too little")
    assert give_up(db, lease, full, RetryRule(), others={"large"})
    cancel_job(db, leader, scope="")
    row = job_row(db, heir)
    assert (row.priority, row.rewinds, row.tries) == (7, 1, 0)
    assert (row.avoid_pool, row.error_code) == (worker.pool, OutOfMemory.code)
    assert row.notes == job_row(db, leader).notes
    assert job_row(db, urgent).leader_id == heir


def test_canceling_one_who_joined_leaves_the_run_alone(db: Database, worker: Claimant) -> None:
    leader = submit(db, make_submission()).job_id
    joined = submit(db, make_submission()).job_id
    assert cancel_job(db, joined, scope="")
    run_whole(db, leader, worker)
    assert find_job(db, joined, scope="").state is JobState.CANCELED
    assert find_job(db, joined, scope="").images == ()


def test_canceling_is_once_and_final(db: Database, worker: Claimant) -> None:
    job_id = submit(db, make_submission()).job_id
    lease = run_to_decode(db, job_id, worker)
    assert cancel_job(db, job_id, scope="")
    assert not cancel_job(db, job_id, scope="")
    assert not finish(db, lease, [picture()])
    assert event_kinds(db, job_id) == ["start", "completed"]


def test_cancel_and_finish_racing_end_a_job_once(db: Database, worker: Claimant) -> None:
    for number in range(10):
        job_id = submit(db, make_submission(f"race {number}")).job_id
        lease = run_to_decode(db, job_id, worker)
        with ThreadPoolExecutor(2) as threads:
            finished = threads.submit(finish, db, lease, [picture()])
            canceled = threads.submit(cancel_job, db, job_id, scope="")
        assert finished.result() != canceled.result()
        assert event_kinds(db, job_id).count("completed") == 1


def test_an_idempotency_key_binds_one_job(db: Database) -> None:
    def post(body: str) -> str:
        submission = make_submission(
            use_cache=False, idempotency_key="key-1", request_hash=body.ljust(64, "0")
        )
        return submit(db, submission).job_id

    with ThreadPoolExecutor(8) as threads:
        ids = set(threads.map(lambda _: post("body"), range(16)))
    assert len(ids) == 1
    assert count(db, JobRow) == 1
    with pytest.raises(IdempotencyMismatch):
        post("another body")


def test_webhooks_are_owed_for_the_wanted_events(db: Database, worker: Claimant) -> None:
    from myriad.job import EventKind

    submission = make_submission(
        webhook="https://example.com/hook",
        webhook_events_filter=(EventKind.START, EventKind.COMPLETED),
    )
    job_id = submit(db, submission).job_id
    run_whole(db, job_id, worker)
    assert delivery_kinds(db, job_id) == ["start", "completed"]


def test_callers_see_their_own_jobs_and_cache(db: Database, worker: Claimant) -> None:
    mine, _ = create_key(db, "mine")
    yours, _ = create_key(db, "yours")
    job_id = submit(db, make_submission(api_key_id=mine)).job_id
    run_whole(db, job_id, worker)
    assert find_job(db, job_id, scope=mine).id == job_id
    for scope in (yours, ""):
        with pytest.raises(NotFound):
            find_job(db, job_id, scope=scope)
        with pytest.raises(NotFound):
            cancel_job(db, job_id, scope=scope)
        assert list_jobs(db, scope=scope).jobs == ()
    other = find_job(db, submit(db, make_submission(api_key_id=yours)).job_id, scope=yours)
    assert other.cache is CacheOutcome.MISS


def test_the_operator_may_share_the_cache(db: Database, worker: Claimant) -> None:
    mine, _ = create_key(db, "mine")
    yours, _ = create_key(db, "yours")
    first = submit(db, make_submission(api_key_id=mine, is_cache_shared=True)).job_id
    run_whole(db, first, worker)
    shared = make_submission(api_key_id=yours, is_cache_shared=True)
    assert find_job(db, submit(db, shared).job_id, scope=yours).cache is CacheOutcome.HIT


def test_pages_go_through_every_job_once(db: Database) -> None:
    ids = [submit(db, make_submission(f"page {number}")).job_id for number in range(7)]
    seen: list[str] = []
    cursor = None
    while True:
        page = list_jobs(db, scope="", cursor=cursor, limit=3)
        seen += [job.id for job in page.jobs]
        cursor = page.cursor
        if cursor is None:
            break
    assert seen == ids[::-1]
    overflow = base64.urlsafe_b64encode(b"0001-01-01T00:00+23:59 " + b"0" * 32).decode()
    strange_id = base64.urlsafe_b64encode(b"2026-01-01T00:00+00:00 \0").decode()
    for nonsense in ("x", "AAAA", "2026", "é", overflow, strange_id):
        with pytest.raises(InvalidRequest):
            list_jobs(db, scope="", cursor=nonsense)


def test_the_queue_position_counts_those_who_go_first(db: Database) -> None:
    first = submit(db, make_submission("a")).job_id
    second = submit(db, make_submission("b")).job_id
    urgent = submit(db, make_submission("c", priority=1)).job_id
    joined = submit(db, make_submission("b")).job_id
    places = {
        job_id: find_job(db, job_id, scope="").queue_position
        for job_id in (urgent, first, second, joined)
    }
    assert places == {urgent: 0, first: 1, second: 2, joined: 2}


def test_a_deadline_is_counted_from_now_and_shares_no_run(db: Database, worker: Claimant) -> None:
    first = submit(db, make_submission(deadline_s=60)).job_id
    second = submit(db, make_submission(deadline_s=60)).job_id
    plain = submit(db, make_submission()).job_id
    records = [find_job(db, job_id, scope="") for job_id in (first, second, plain)]
    assert [record.cache for record in records] == [CacheOutcome.MISS] * 3
    assert records[0].deadline_at == records[0].created_at + timedelta(seconds=60)
    assert records[2].deadline_at is None
    run_whole(db, plain, worker)
    known = find_job(db, submit(db, make_submission(deadline_s=60)).job_id, scope="")
    assert known.cache is CacheOutcome.HIT
