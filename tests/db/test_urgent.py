"""A hint is only a hint: the more urgent job is taken first, and may make a running one stop."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text, update
from sqlalchemy.dialects import sqlite

from myriad import clock
from myriad.claimant import Claimant
from myriad.db.claim import claim
from myriad.db.commit import RetryRule, advance, give_up, hand_back
from myriad.db.database import Database
from myriad.db.due import reclaim_expired, take_due
from myriad.db.intake import submit
from myriad.db.preempt import MOST_PREEMPTIONS, Contest, find_contest
from myriad.db.tables import JobRow
from myriad.db.urgent import PREEMPTED, urgent_query
from myriad.errors import StageFailed
from myriad.job import Stage
from myriad.pool import Pool
from tests.db.steps import expire_lease, job_row, take
from tests.submissions import make_submission

POOL = Pool(name="all", stages=tuple(Stage))
WORKER = Claimant("all@host.1.aa", "all", "cpu", stages=tuple(Stage))
PLAIN = Claimant("all@host.1.aa", "all", "cpu")
RULE = RetryRule(max_tries=3, delay_s=0)


def post(db: Database, prompt: str, priority: int = 0) -> str:
    return submit(db, make_submission(prompt, priority=priority)).job_id


def hinted(db: Database) -> list[str]:
    """Send every hint there is to send."""
    hints = take_due(db, POOL, Stage.ENCODE, limit=99, redispatch_s=60)
    return [hint.job_id for hint in hints]


def claimed(db: Database, hint: str, by: Claimant = WORKER) -> str | None:
    lease = claim(db, hint, Stage.ENCODE, by, 60)
    return lease.job_id if lease else None


def denoising(db: Database, prompt: str, priority: int = 0) -> str:
    """A job whose denoise is held."""
    job_id = post(db, prompt, priority)
    advance(db, take(db, job_id, Stage.ENCODE, PLAIN), "key")
    take(db, job_id, Stage.DENOISE, PLAIN)
    return job_id


def test_a_more_urgent_job_takes_the_place_of_the_one_named(db: Database) -> None:
    plain = post(db, "plain")
    urgent = post(db, "urgent", priority=1)
    assert hinted(db) == [urgent, plain]
    assert claimed(db, plain) == urgent
    assert hinted(db) == [plain]  # due again at once
    assert claimed(db, plain) == plain
    assert claimed(db, urgent) is None


def test_the_most_urgent_and_oldest_goes_first_in_any_stage(db: Database) -> None:
    plain = post(db, "plain")
    first, second = post(db, "a", 5), post(db, "b", 5)
    advance(db, take(db, second, Stage.ENCODE, WORKER), "key")
    most = post(db, "c", 9)
    advance(db, take(db, most, Stage.ENCODE, WORKER), "key")
    assert [claimed(db, plain) for _ in range(4)] == [most, first, second, plain]


def test_equals_keep_the_order_of_their_hints(db: Database) -> None:
    post(db, "older", priority=3)
    newer = post(db, "newer", priority=3)
    assert claimed(db, newer) == newer


def test_a_worker_takes_out_of_turn_only_what_it_serves(db: Database) -> None:
    plain = post(db, "plain")
    post(db, "urgent", priority=1)
    for other in (
        Claimant("w1", "all", "cpu"),
        Claimant("w2", "all", "cpu", stages=(Stage.DENOISE,)),
        Claimant("w3", "all", "cpu", stages=tuple(Stage), models=("another",)),
    ):
        held = claim(db, plain, Stage.ENCODE, other, 60)
        assert held is not None
        assert held.job_id == plain
        hand_back(db, held)


def test_what_pauses_is_left_to_its_own_hint(db: Database) -> None:
    plain = post(db, "plain")
    away = post(db, "away", priority=1)
    hand_back(db, take(db, away, Stage.ENCODE, WORKER), delay_s=60)
    failed = post(db, "failed", priority=1)
    give_up(db, take(db, failed, Stage.ENCODE, WORKER), StageFailed("x"), RULE)
    lost = post(db, "lost", priority=1)
    take(db, lost, Stage.ENCODE, WORKER)
    expire_lease(db, lost)
    assert reclaim_expired(db, RULE) == [lost]
    assert claimed(db, plain) == plain


def test_a_pause_that_is_over_counts_no_more(db: Database) -> None:
    plain = post(db, "plain")
    back = post(db, "back", priority=1)
    hand_back(db, take(db, back, Stage.ENCODE, WORKER))
    assert claimed(db, plain) == back


def test_a_stale_hint_shortens_nobodys_pause(db: Database) -> None:
    paused = post(db, "paused")
    hand_back(db, take(db, paused, Stage.ENCODE, WORKER), delay_s=60)
    due = job_row(db, paused).dispatch_due
    urgent = post(db, "urgent", priority=1)
    assert claimed(db, paused) == urgent
    assert job_row(db, paused).dispatch_due == due


def test_hints_at_once_take_each_job_once(db: Database) -> None:
    jobs = [post(db, f"prompt {number}", priority=number % 4) for number in range(24)]
    with ThreadPoolExecutor(8) as threads:
        taken = list(threads.map(lambda hint: claimed(db, hint), jobs))
    got = [job_id for job_id in taken if job_id]
    assert len(got) == len(set(got))
    # Every hint that found its job taken has left another one due.
    left = set(jobs) - set(got)
    assert left <= set(hinted(db))


def test_the_youngest_of_the_least_urgent_makes_way(db: Database) -> None:
    held = [denoising(db, "a", 1), denoising(db, "b", 0), denoising(db, "c", 0)]
    assert find_contest(db, WORKER, held) is None
    urgent = post(db, "urgent", priority=1)
    assert find_contest(db, WORKER, held) == Contest(urgent, held[2])
    assert find_contest(db, WORKER, held[:1]) is None
    assert find_contest(db, WORKER, []) is None


def test_a_job_makes_way_a_few_times_and_then_no_more(db: Database) -> None:
    held = post(db, "held")
    advance(db, take(db, held, Stage.ENCODE, WORKER), "key")
    lease = take(db, held, Stage.DENOISE, WORKER)
    urgent = post(db, "urgent", priority=1)
    for _ in range(MOST_PREEMPTIONS):
        assert find_contest(db, WORKER, [held]) == Contest(urgent, held)
        assert hand_back(db, lease, how=PREEMPTED)
        lease = take(db, held, Stage.DENOISE, PLAIN)
    assert lease.tries == 1
    assert find_contest(db, WORKER, [held]) is None


@pytest.mark.parametrize("stage", list(Stage))
def test_an_urgent_job_waits_in_any_stage_of_the_pool(db: Database, stage: Stage) -> None:
    held = denoising(db, "held")
    urgent = post(db, "urgent", priority=1)
    with db.write() as session:
        session.execute(update(JobRow).where(JobRow.id == urgent).values(stage=stage.value))
    assert find_contest(db, WORKER, [held]) == Contest(urgent, held)
    encoder = Claimant("w", "all", "cpu", stages=(Stage.ENCODE,))
    assert (find_contest(db, encoder, [held]) is not None) == (stage is Stage.ENCODE)


def test_looking_for_the_urgent_reads_one_mostly_empty_index(migrated_sqlite_url: str) -> None:
    db = Database(migrated_sqlite_url)
    query = urgent_query(WORKER, is_named=False).params(above=0, now=clock.now())
    compiled = query.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})
    with db.read() as session:
        plan = session.execute(text(f"EXPLAIN QUERY PLAN {compiled}")).all()
    db.close()
    assert "ix_jobs_due (stage=? AND state=? AND priority>?)" in plan[0][3]
