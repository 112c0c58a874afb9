"""Out of memory: each pool gets its chance, then this one job fails."""

from myriad.claimant import Claimant
from myriad.db.claim import claim
from myriad.db.commit import MOST_NOTES, RetryRule, advance, give_up, hand_back, rewind
from myriad.db.database import Database
from myriad.db.due import take_due
from myriad.db.intake import submit
from myriad.db.jobs import find_job
from myriad.db.memory import welcome_again
from myriad.errors import OutOfMemory
from myriad.job import JobState, Stage
from myriad.pool import Pool
from tests.db.steps import job_row, take
from tests.submissions import make_submission

NAMES = ("small", "large", "huge")
POOLS = {name: Pool(name=name, stages=tuple(Stage)) for name in NAMES}
WORKERS = {name: Claimant(f"{name}@host.1.aa", name, "cpu") for name in NAMES}
RULE = RetryRule(max_tries=3, delay_s=0)
ERROR = OutOfMemory("12 GiB asked for, 8 GiB there")


def run_out(db: Database, job_id: str, pool: str, others: set[str]) -> None:
    assert give_up(db, take(db, job_id, Stage.ENCODE, WORKERS[pool]), ERROR, RULE, others=others)


def offered_to(db: Database) -> set[str]:
    """The pools that dispatch would tell of anything now."""
    return {
        name
        for name, pool in POOLS.items()
        if take_due(db, pool, Stage.ENCODE, limit=9, redispatch_s=0)
    }


def test_the_job_goes_round_the_pools_once(db: Database) -> None:
    job_id = submit(db, make_submission()).job_id
    run_out(db, job_id, "small", {"large", "huge"})
    assert offered_to(db) == {"large", "huge"}
    assert claim(db, job_id, Stage.ENCODE, WORKERS["small"], 60) is None
    run_out(db, job_id, "large", {"small", "huge"})
    assert offered_to(db) == {"huge"}
    assert claim(db, job_id, Stage.ENCODE, WORKERS["small"], 60) is None
    run_out(db, job_id, "huge", {"small", "large"})
    record = find_job(db, job_id, scope="")
    assert (record.state, record.error_code) == (JobState.FAILED, "out_of_memory")
    assert record.notes == (
        "encode 1: out_of_memory in pool small: left to huge, large",
        "encode 2: out_of_memory in pool large: left to huge",
        "encode 3: out_of_memory in every pool, huge the last",
    )


def test_with_one_pool_the_usual_rules_hold(db: Database) -> None:
    job_id = submit(db, make_submission()).job_id
    for _ in range(3):
        assert job_row(db, job_id).state == "queued"
        run_out(db, job_id, "small", set())
    assert find_job(db, job_id, scope="").state is JobState.FAILED


def test_the_next_stage_is_open_to_all(db: Database) -> None:
    job_id = submit(db, make_submission()).job_id
    run_out(db, job_id, "small", {"large"})
    assert advance(db, take(db, job_id, Stage.ENCODE, WORKERS["large"]), "key")
    assert take(db, job_id, Stage.DENOISE, WORKERS["small"]).tries == 1


def test_a_stage_made_anew_is_open_to_all(db: Database) -> None:
    job_id = submit(db, make_submission()).job_id
    assert advance(db, take(db, job_id, Stage.ENCODE, WORKERS["small"]), "key")
    lease = take(db, job_id, Stage.DENOISE, WORKERS["small"])
    assert give_up(db, lease, ERROR, RULE, others={"large"})
    assert rewind(db, take(db, job_id, Stage.DENOISE, WORKERS["large"]))
    take(db, job_id, Stage.ENCODE, WORKERS["small"])


def test_it_comes_back_when_the_other_pools_are_gone(db: Database) -> None:
    job_id = submit(db, make_submission()).job_id
    run_out(db, job_id, "small", {"large"})
    asked: list[tuple[str, Stage, str]] = []

    def others(*what: object) -> set[str]:
        asked.append(what)  # type: ignore[arg-type]
        return {"large"} if len(asked) == 1 else set()

    welcome_again(db, others)
    assert asked == [("small", Stage.ENCODE, "tiny")]
    assert offered_to(db) == {"large", "huge"}
    welcome_again(db, others)
    assert offered_to(db) == set(NAMES)


def test_notes_are_kept_with_every_verb_and_bounded(db: Database) -> None:
    job_id = submit(db, make_submission()).job_id
    lease = take(db, job_id, Stage.ENCODE, WORKERS["small"])
    assert hand_back(db, lease, notes=["one"])
    assert not advance(db, lease, "key", ["a zombie's"])
    lease = take(db, job_id, Stage.ENCODE, WORKERS["small"])
    assert advance(db, lease, "key", ["two", "x" * 500])
    one, two, long = job_row(db, job_id).notes
    assert (one, two) == ("encode 1: one", "encode 2: two")
    assert len(long) == 200
    many = [f"note {number}" for number in range(30)]
    assert hand_back(db, take(db, job_id, Stage.DENOISE, WORKERS["small"]), notes=many)
    notes = job_row(db, job_id).notes
    assert len(notes) == MOST_NOTES
    assert notes[-1] == "denoise 3: note 29"


def test_those_that_joined_have_the_notes_too(db: Database) -> None:
    leader = submit(db, make_submission()).job_id
    joined = submit(db, make_submission()).job_id
    lease = take(db, leader, Stage.ENCODE, WORKERS["small"])
    assert give_up(db, lease, ERROR, RetryRule(max_tries=1), notes=["fewer rows"])
    assert find_job(db, joined, scope="").notes == ("encode 1: fewer rows",)
