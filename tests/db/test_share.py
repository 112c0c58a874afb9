"""Whose turn it is: priority first, then the caller with the least under way."""

from collections.abc import Iterable

import pytest
from sqlalchemy import select, update

from myriad.claimant import Claimant
from myriad.db.claim import claim
from myriad.db.commit import finish
from myriad.db.database import Database
from myriad.db.due import Hint, take_due
from myriad.db.intake import submit
from myriad.db.keys import create_key
from myriad.db.tables import JobRow
from myriad.job import Stage
from myriad.pool import Pool
from tests.db.steps import job_row, picture, run_to_decode, take
from tests.submissions import make_submission

POOL = Pool(name="all", stages=tuple(Stage))


def ask(db: Database, key_id: str | None, many: int, **values: object) -> list[str]:
    """Jobs of a caller, oldest first."""
    return [
        submit(db, make_submission(api_key_id=key_id, use_cache=False, **values)).job_id
        for _ in range(many)
    ]


def dispatch(db: Database, limit: int) -> list[str]:
    hints = take_due(db, POOL, Stage.ENCODE, limit=limit, redispatch_s=60)
    return [hint.job_id for hint in hints]


def owners(db: Database, ids: Iterable[str]) -> list[str | None]:
    return [job_row(db, job_id).api_key_id for job_id in ids]


@pytest.fixture
def hog(db: Database) -> str:
    return create_key(db, "hog")[0]


@pytest.fixture
def neighbour(db: Database) -> str:
    return create_key(db, "neighbour")[0]


def test_callers_take_turns_however_many_jobs_one_has(
    db: Database, hog: str, neighbour: str
) -> None:
    many = ask(db, hog, 20)
    few = ask(db, neighbour, 2)
    (open_job,) = ask(db, None, 1)
    first = dispatch(db, 5)
    assert {*few, open_job} < set(first)
    assert [job for job in first if job in many] == many[:2]
    assert dispatch(db, 3) == many[2:5]


def test_who_has_less_under_way_goes_first(
    db: Database, hog: str, neighbour: str, worker: Claimant
) -> None:
    for job_id in ask(db, hog, 3):
        take(db, job_id, Stage.ENCODE, worker)
    more = ask(db, hog, 3)
    late = ask(db, neighbour, 3)
    assert dispatch(db, 4) == [*late, more[0]]


def test_a_heavy_job_counts_for_many_light_ones(db: Database, hog: str, neighbour: str) -> None:
    heavy = ask(db, hog, 2, num_inference_steps=40)
    light = ask(db, neighbour, 12)
    assert dispatch(db, 12) == [heavy[0], *light[:10], heavy[1]]


def test_priority_goes_before_shares(db: Database, hog: str, neighbour: str) -> None:
    ask(db, neighbour, 1)
    urgent = ask(db, hog, 3, priority=1)
    assert dispatch(db, 3) == urgent


def limited(db: Database, most: int) -> str:
    return create_key(db, "limited", limits={"max_running": most})[0]


def test_a_key_has_no_more_jobs_under_way_than_it_may(
    db: Database, neighbour: str, worker: Claimant
) -> None:
    key_id = limited(db, 2)
    mine, others = ask(db, key_id, 5), ask(db, neighbour, 3)
    told = dispatch(db, 99)
    assert set(told) == {*mine[:2], *others}
    assert dispatch(db, 99) == []
    lease = run_to_decode(db, mine[0], worker)
    assert dispatch(db, 99) == []
    assert finish(db, lease, [picture()])
    assert dispatch(db, 99) == [mine[2]]


def test_a_worker_does_not_take_them_out_of_turn(db: Database, neighbour: str) -> None:
    by = Claimant("all@host.1.aa", "all", "cpu", stages=tuple(Stage), models=("*",))
    (mine,) = ask(db, limited(db, 1), 1, priority=9)
    (other,) = ask(db, neighbour, 1)
    lease = claim(db, other, Stage.ENCODE, by, 60)
    assert lease is not None
    assert lease.job_id == other
    assert dispatch(db, 9) == [mine]


def test_what_has_begun_is_not_held_back(db: Database, worker: Claimant) -> None:
    mine = ask(db, limited(db, 1), 2)
    take(db, mine[0], Stage.ENCODE, worker)
    with db.write() as session:
        session.execute(
            update(JobRow).where(JobRow.id == mine[0]).values(lease_owner=None, lease_until=None)
        )
    assert take_due(db, POOL, Stage.ENCODE, limit=9, redispatch_s=60) == [
        Hint(mine[0], Stage.ENCODE, "tiny")
    ]


def test_more_callers_than_are_looked_at_all_get_their_turn(db: Database) -> None:
    for number in range(70):
        ask(db, create_key(db, f"caller {number}")[0], 1)
    while dispatch(db, 40):
        pass
    with db.read() as session:
        untold = select(JobRow.id).where(JobRow.dispatch_due <= JobRow.created_at)
        assert session.scalars(untold).all() == []
