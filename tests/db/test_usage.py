"""What a caller may have waiting and ask for in a day; exact however many come at once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from myriad import clock
from myriad.claimant import Claimant
from myriad.db.database import Database
from myriad.db.intake import submit
from myriad.db.keys import create_key
from myriad.db.tables import JobRow, UsageRow
from myriad.db.usage import Allowance, usage_of_day
from myriad.errors import MyriadError, QuotaExceeded, TooManyJobs
from myriad.job import Stage
from tests.db.steps import count, run_whole, take
from tests.submissions import make_submission

COST = make_submission().params.megapixel_steps
TWO_A_DAY = Allowance(megapixel_steps_per_day=COST * 2.5)
TWO_WAITING = Allowance(max_queued=2)


def used(db: Database, scope: str = "") -> tuple[int, float]:
    (usage,) = [usage for usage in usage_of_day(db) if usage.scope == scope]
    return usage.jobs, usage.cost


def test_the_budget_of_a_day_is_kept_and_says_when_the_next_begins(db: Database) -> None:
    for prompt in "ab":
        submit(db, make_submission(prompt), allowance=TWO_A_DAY)
    with pytest.raises(QuotaExceeded, match="megapixel-steps") as caught:
        submit(db, make_submission("c"), allowance=TWO_A_DAY)
    now = clock.now()
    midnight = datetime(now.year, now.month, now.day, tzinfo=UTC) + timedelta(days=1)
    wait_s = (midnight - now).total_seconds()
    assert caught.value.retry_after_s == pytest.approx(wait_s, abs=30)
    assert count(db, JobRow) == 2
    assert used(db) == (2, pytest.approx(COST * 2))


def test_another_day_and_another_caller_have_budgets_of_their_own(db: Database) -> None:
    key_id, _ = create_key(db, "other")
    for prompt in "ab":
        submit(db, make_submission(prompt), allowance=TWO_A_DAY)
    submit(db, make_submission("c", api_key_id=key_id), allowance=TWO_A_DAY)
    assert used(db, key_id) == (1, pytest.approx(COST))
    with db.write() as session:
        today = session.get_one(UsageRow, ("", clock.now().date()))
        today.day -= timedelta(days=1)
    submit(db, make_submission("d"), allowance=TWO_A_DAY)
    assert used(db) == (1, pytest.approx(COST))


def test_what_needs_no_run_costs_nothing(db: Database, worker: Claimant) -> None:
    run_whole(db, submit(db, make_submission("drawn")).job_id, worker)
    submit(db, make_submission("in flight"))
    tight = Allowance(max_queued=2, megapixel_steps_per_day=COST)
    for prompt in ("in flight", "drawn"):
        submit(db, make_submission(prompt), allowance=tight)
    assert used(db) == (4, pytest.approx(COST * 2))
    with pytest.raises(QuotaExceeded):
        submit(db, make_submission("drawn", use_cache=False), allowance=tight)


def test_who_waits_for_anothers_run_is_one_of_those_who_wait(
    db: Database, worker: Claimant
) -> None:
    run_whole(db, submit(db, make_submission("drawn")).job_id, worker)
    first = submit(db, make_submission("a"), allowance=TWO_WAITING).job_id
    submit(db, make_submission("a"), allowance=TWO_WAITING)
    with pytest.raises(TooManyJobs):
        submit(db, make_submission("a"), allowance=TWO_WAITING)
    submit(db, make_submission("drawn"), allowance=TWO_WAITING)  # answered by the cache
    take(db, first, Stage.ENCODE, worker)
    submit(db, make_submission("a"), allowance=TWO_WAITING)
    with pytest.raises(TooManyJobs):  # though all of them are running now
        submit(db, make_submission("a"), allowance=TWO_WAITING)


def test_only_so_many_jobs_may_wait(db: Database, worker: Claimant) -> None:
    first = submit(db, make_submission("a"), allowance=TWO_WAITING).job_id
    submit(db, make_submission("b"), allowance=TWO_WAITING)
    with pytest.raises(TooManyJobs, match="2 of your jobs wait"):
        submit(db, make_submission("c"), allowance=TWO_WAITING)
    take(db, first, Stage.ENCODE, worker)
    submit(db, make_submission("c"), allowance=TWO_WAITING)


def test_a_replay_is_not_charged_again(db: Database) -> None:
    for _ in range(2):
        submit(db, make_submission(idempotency_key="k", request_hash="h"), allowance=TWO_A_DAY)
    assert used(db) == (1, pytest.approx(COST))


@pytest.mark.parametrize("allowance", [TWO_A_DAY, TWO_WAITING])
def test_no_more_get_in_when_many_come_at_once(db: Database, allowance: Allowance) -> None:
    def ask(number: int) -> bool:
        try:
            submit(db, make_submission(f"number {number}"), allowance=allowance)
        except MyriadError as error:
            assert error.code in ("quota_exceeded", "too_many_jobs")  # noqa: PT017
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(ask, range(16))) == 2
    assert count(db, JobRow) == 2
    assert used(db)[0] == 2
