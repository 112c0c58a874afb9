"""How many go before a job: among callers who take turns, and among the stages."""

from myriad.claimant import Claimant
from myriad.db.commit import advance
from myriad.db.database import Database
from myriad.db.intake import submit
from myriad.db.jobs import find_job
from myriad.db.keys import create_key
from myriad.job import Stage
from tests.db.steps import take
from tests.submissions import make_submission


def ask(db: Database, name: str, count: int, **values: object) -> list[str]:
    """So many different jobs."""
    return [submit(db, make_submission(f"{name} {each}", **values)).job_id for each in range(count)]


def places(db: Database, job_ids: list[str]) -> list[int | None]:
    return [find_job(db, job_id, scope=None).queue_position for job_id in job_ids]


def test_callers_take_turns_so_a_crowd_of_one_counts_little(db: Database) -> None:
    crowd, few = (create_key(db, name)[0] for name in ("crowd", "few"))
    many = ask(db, "many", 5, api_key_id=crowd)
    mine = ask(db, "mine", 3, api_key_id=few)
    assert places(db, mine) == [0, 2, 4]
    assert places(db, many) == [0, 2, 4, 6, 7]


def test_what_is_more_urgent_counts_whole_whoever_asked(db: Database) -> None:
    crowd, few = (create_key(db, name)[0] for name in ("crowd", "few"))
    ask(db, "urgent", 3, api_key_id=crowd, priority=1)
    ask(db, "later", 3, api_key_id=crowd, priority=-1)
    assert places(db, ask(db, "mine", 2, api_key_id=few)) == [3, 4]


def test_jobs_from_before_the_first_key_take_turns_too(db: Database) -> None:
    early = ask(db, "early", 2)
    key = create_key(db, "first")[0]
    assert places(db, ask(db, "mine", 4, api_key_id=key)) == [0, 2, 4, 5]
    assert places(db, early) == [0, 2]


def test_who_waits_for_another_stage_or_is_drawn_goes_before_nobody(
    db: Database, worker: Claimant
) -> None:
    first, second, third = ask(db, "mine", 3)
    assert advance(db, take(db, first, Stage.ENCODE, worker), "out")
    assert places(db, [first, second, third]) == [None, 0, 1]
