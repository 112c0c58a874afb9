"""Claim, commit, release: exactly one winner per stage, whatever the others try."""

from concurrent.futures import ThreadPoolExecutor

from myriad.claimant import Claimant
from myriad.db.cancel import cancel_job
from myriad.db.claim import claim, renew
from myriad.db.commit import RetryRule, advance, finish, give_up, hand_back, rewind
from myriad.db.database import Database
from myriad.db.due import reclaim_expired, take_due
from myriad.db.intake import submit
from myriad.db.jobs import find_job
from myriad.db.tables import ImageRow, JobRow
from myriad.errors import PromptTooLong, StageFailed
from myriad.job import JobState, Stage
from myriad.pool import Pool
from tests.db.steps import (
    count,
    event_kinds,
    expire_lease,
    job_row,
    picture,
    run_to_decode,
    run_whole,
    take,
)
from tests.submissions import make_submission

POOL = Pool(name="all", stages=tuple(Stage))
RULE = RetryRule(max_tries=3, delay_s=0)
OTHER = Claimant("all@host.2.bb", "all", "cpu")


def test_a_job_runs_through_its_stages(db: Database, worker: Claimant) -> None:
    job_id = submit(db, make_submission()).job_id
    run_whole(db, job_id, worker)
    record = find_job(db, job_id, scope="")
    assert record.state is JobState.SUCCEEDED
    assert [image.storage_key for image in record.images] == ["images/a.png"]
    assert set(record.stage_seconds) == set(Stage)
    assert event_kinds(db, job_id) == ["start", "output", "completed"]


def test_many_claimants_one_lease(db: Database, worker: Claimant) -> None:
    job_id = submit(db, make_submission()).job_id
    with ThreadPoolExecutor(8) as threads:
        leases = list(threads.map(lambda _: claim(db, job_id, Stage.ENCODE, worker, 60), range(16)))
    assert sum(lease is not None for lease in leases) == 1


def test_a_zombie_changes_nothing(db: Database, worker: Claimant) -> None:
    job_id = submit(db, make_submission()).job_id
    zombie = run_to_decode(db, job_id, worker)
    expire_lease(db, job_id)
    assert claim(db, job_id, Stage.DECODE, OTHER, 60) is None
    assert reclaim_expired(db, RULE) == [job_id]
    heir = take(db, job_id, Stage.DECODE, OTHER)
    assert renew(db, [zombie], 60) == set()
    assert not finish(db, zombie, [picture(name="zombie")])
    assert not give_up(db, zombie, StageFailed("late"), RULE)
    assert not hand_back(db, zombie)
    assert not rewind(db, zombie)
    assert finish(db, heir, [picture(name="heir")])
    assert not finish(db, zombie, [picture(name="zombie")])
    assert [image.storage_key for image in find_job(db, job_id, scope="").images] == [
        "images/heir.png"
    ]
    assert count(db, ImageRow) == 1


def test_a_stage_commits_once(db: Database, worker: Claimant) -> None:
    job_id = submit(db, make_submission()).job_id
    lease = take(db, job_id, Stage.ENCODE, worker)
    assert advance(db, lease, "first")
    assert not advance(db, lease, "second")
    assert job_row(db, job_id).artifact_keys == {"encode": "first"}


def test_renewed_leases_stay(db: Database, worker: Claimant) -> None:
    held = take(db, submit(db, make_submission("a")).job_id, Stage.ENCODE, worker)
    lost = take(db, submit(db, make_submission("b")).job_id, Stage.ENCODE, worker)
    assert hand_back(db, lost)
    assert renew(db, [held, lost], 60) == {held.job_id}


def test_failures_are_tried_again_then_kept(db: Database, worker: Claimant) -> None:
    job_id = submit(db, make_submission()).job_id
    for _ in range(2):
        assert give_up(db, take(db, job_id, Stage.ENCODE, worker), StageFailed("boom"), RULE)
        assert job_row(db, job_id).state == "queued"
    assert give_up(db, take(db, job_id, Stage.ENCODE, worker), StageFailed("boom"), RULE)
    record = find_job(db, job_id, scope="")
    assert (record.state, record.error_code) == (JobState.FAILED, "stage_failed")
    assert event_kinds(db, job_id) == ["start", "completed"]


def test_errors_no_retry_can_mend_fail_at_once(db: Database, worker: Claimant) -> None:
    job_id = submit(db, make_submission()).job_id
    lease = take(db, job_id, Stage.ENCODE, worker)
    assert give_up(db, lease, PromptTooLong("90 tokens, 77 fit"), RULE)
    assert find_job(db, job_id, scope="").state is JobState.FAILED


def test_success_resets_the_tries(db: Database, worker: Claimant) -> None:
    job_id = submit(db, make_submission()).job_id
    for _ in range(2):
        give_up(db, take(db, job_id, Stage.ENCODE, worker), StageFailed("boom"), RULE)
    advance(db, take(db, job_id, Stage.ENCODE, worker), "key")
    assert job_row(db, job_id).tries == 0


def test_handing_back_costs_no_try(db: Database, worker: Claimant) -> None:
    job_id = submit(db, make_submission()).job_id
    for _ in range(5):
        assert hand_back(db, take(db, job_id, Stage.ENCODE, worker))
    row = job_row(db, job_id)
    assert (row.tries, row.lease_owner) == (0, None)


def test_a_poison_job_fails_after_three_dead_workers(db: Database, worker: Claimant) -> None:
    job_id = submit(db, make_submission()).job_id
    for left in (2, 1, 0):
        take(db, job_id, Stage.ENCODE, worker)
        assert reclaim_expired(db, RULE) == []
        expire_lease(db, job_id)
        assert reclaim_expired(db, RULE) == [job_id]
        assert find_job(db, job_id, scope="").state is (
            JobState.QUEUED if left else JobState.FAILED
        )
    assert find_job(db, job_id, scope="").error_code == "worker_lost"


def test_a_worker_holds_one_suspect_at_a_time(db: Database, worker: Claimant) -> None:
    first, second, fresh = (submit(db, make_submission(name)).job_id for name in "abc")
    for job_id in (first, second):
        take(db, job_id, Stage.ENCODE, worker)
        expire_lease(db, job_id)
    assert len(reclaim_expired(db, RULE)) == 2
    lease = take(db, first, Stage.ENCODE, OTHER)
    assert claim(db, second, Stage.ENCODE, OTHER, 60) is None
    take(db, fresh, Stage.ENCODE, OTHER)
    take(db, second, Stage.ENCODE, worker)
    assert advance(db, lease, "key")
    take(db, first, Stage.DENOISE, OTHER)


def test_a_missing_artifact_rewinds_to_its_maker(db: Database, worker: Claimant) -> None:
    job_id = submit(db, make_submission()).job_id
    lease = run_to_decode(db, job_id, worker)
    assert lease.artifact_key == "denoise-out"
    assert rewind(db, lease)
    again = take(db, job_id, Stage.DENOISE, worker)
    assert (again.artifact_key, again.rewinds) == ("encode-out", 1)
    assert rewind(db, again)
    assert take(db, job_id, Stage.ENCODE, worker).artifact_key is None


def test_due_jobs_come_by_priority_then_age_and_once(db: Database) -> None:
    first = submit(db, make_submission("a")).job_id
    second = submit(db, make_submission("b")).job_id
    urgent = submit(db, make_submission("c", priority=5)).job_id

    def due(limit: int) -> list[str]:
        hints = take_due(db, POOL, Stage.ENCODE, limit=limit, redispatch_s=60)
        return [hint.job_id for hint in hints]

    assert due(2) == [urgent, first]
    assert due(9) == [second]
    assert due(9) == []


def test_a_lost_hint_is_due_again(db: Database) -> None:
    job_id = submit(db, make_submission()).job_id
    for _ in range(3):
        hints = take_due(db, POOL, Stage.ENCODE, limit=1, redispatch_s=0.0)
        assert [hint.job_id for hint in hints] == [job_id]


def test_a_pool_hears_of_its_own_models_only(db: Database) -> None:
    submit(db, make_submission())
    other = Pool(name="other", stages=tuple(Stage), models=("another",))
    assert take_due(db, other, Stage.ENCODE, limit=9, redispatch_s=60) == []


def test_a_row_of_other_rules_fails_and_holds_nobody_up(db: Database, worker: Claimant) -> None:
    job_id = submit(db, make_submission()).job_id
    with db.write() as session:
        session.get_one(JobRow, job_id).params = {"prompt": "of an older release"}
    assert claim(db, job_id, Stage.ENCODE, worker, 60) is None
    record = find_job(db, job_id, scope="")
    assert (record.state, record.error_code) == (JobState.FAILED, "unreadable_job")


def test_those_canceled_before_the_start_stay_canceled(db: Database, worker: Claimant) -> None:
    leader = submit(db, make_submission()).job_id
    joined = submit(db, make_submission()).job_id
    with ThreadPoolExecutor(2) as threads:
        canceled = threads.submit(cancel_job, db, joined, scope="")
        lease = threads.submit(claim, db, leader, Stage.ENCODE, worker, 60).result()
    assert canceled.result()
    assert lease is not None
    assert event_kinds(db, joined)[-1] == "completed"
    assert give_up(db, lease, PromptTooLong("x", field="prompt"), RULE)
    assert find_job(db, joined, scope="").state is JobState.CANCELED
    assert find_job(db, leader, scope="").error_field == "prompt"


def test_a_store_that_is_away_costs_no_try(db: Database, worker: Claimant) -> None:
    job_id = submit(db, make_submission()).job_id
    assert hand_back(db, take(db, job_id, Stage.ENCODE, worker), delay_s=60)
    row = job_row(db, job_id)
    assert (row.tries, row.state) == (0, "running")
    assert take_due(db, POOL, Stage.ENCODE, limit=1, redispatch_s=60) == []


def test_two_dispatchers_never_take_the_same_job(db: Database) -> None:
    for number in range(40):
        submit(db, make_submission(f"prompt {number}"))

    def drain(_: int) -> list[str]:
        taken: list[str] = []
        while hints := take_due(db, POOL, Stage.ENCODE, limit=3, redispatch_s=60):
            taken += [hint.job_id for hint in hints]
        return taken

    with ThreadPoolExecutor(4) as threads:
        taken = [job_id for part in threads.map(drain, range(4)) for job_id in part]
    assert len(taken) == len(set(taken))
    # A dispatcher may leave early while another holds the last rows; nothing is lost by it.
    assert len(taken) + len(drain(0)) == 40
