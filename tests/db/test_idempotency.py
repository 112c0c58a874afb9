"""A key of the caller's makes one job, however often and however much at once it comes."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import TypeVar

import pytest
from sqlalchemy import update

from myriad import clock
from myriad.db.database import Database
from myriad.db.idempotency import find_replay
from myriad.db.intake import Intake, submit
from myriad.db.keys import create_key
from myriad.db.sweep import forget_idempotency_keys
from myriad.db.tables import IdempotencyKeyRow, JobRow
from myriad.errors import Conflict, IdempotencyMismatch
from tests.db.steps import count
from tests.submissions import make_submission

KEYS, POSTS = 6, 20
_Result = TypeVar("_Result")


def post(db: Database, key: str, body: str = "a", *, use_cache: bool = False) -> Intake:
    """`use_cache` or not: with it, equal requests also meet in the cache."""
    submission = make_submission(
        f"{key} {body}", use_cache=use_cache, idempotency_key=key, request_hash=body * 64
    )
    return submit(db, submission)


def at_once(times: int, act: Callable[[int], _Result]) -> list[_Result]:
    """What `times` threads got that began together."""
    start = Barrier(times)

    def run(number: int) -> _Result:
        start.wait()
        return act(number)

    with ThreadPoolExecutor(times) as threads:
        return list(threads.map(run, range(times)))


def expire_all(db: Database) -> None:
    with db.write() as session:
        session.execute(update(IdempotencyKeyRow).values(expires_at=clock.now()))


@pytest.mark.parametrize("use_cache", [True, False])
def test_many_at_once_make_one_job_a_key(db: Database, use_cache: bool) -> None:
    for number in range(KEYS):
        intakes = at_once(POSTS, lambda _, key=f"k{number}": post(db, key, use_cache=use_cache))
        assert len({intake.job_id for intake in intakes}) == 1
        assert Counter(intake.is_replay for intake in intakes) == {False: 1, True: POSTS - 1}
    assert count(db, JobRow) == KEYS


def test_of_two_bodies_at_once_one_is_refused(db: Database) -> None:
    def try_post(number: int) -> str:
        try:
            return post(db, "key", "ab"[number % 2]).job_id
        except IdempotencyMismatch:
            return "refused"

    outcomes = Counter(at_once(10, try_post))
    assert len(outcomes) == 2
    assert outcomes["refused"] == 5
    assert count(db, JobRow) == 1


def test_keys_belong_to_their_callers(db: Database) -> None:
    scopes = [create_key(db, name)[0] for name in "ab"]
    made = [
        submit(
            db,
            make_submission(api_key_id=scope, idempotency_key="key", request_hash=body * 64),
        )
        for scope, body in zip(scopes, "ab", strict=True)
    ]
    assert [intake.is_replay for intake in made] == [False, False]
    assert find_replay(db, scope=scopes[1], key="key", request_hash="b" * 64) == made[1].job_id
    assert find_replay(db, scope="", key="key", request_hash="c" * 64) is None


def test_an_old_key_is_free_again(db: Database) -> None:
    first = post(db, "key")
    expire_all(db)
    assert find_replay(db, scope="", key="key", request_hash="b" * 64) is None
    again = at_once(8, lambda _: post(db, "key", "b"))
    assert Counter(intake.is_replay for intake in again) == {False: 1, True: 7}
    assert again[0].job_id != first.job_id
    assert count(db, IdempotencyKeyRow) == 1
    expire_all(db)
    forget_idempotency_keys(db)
    assert count(db, IdempotencyKeyRow) == 0


def test_a_key_without_the_body_s_hash_is_a_mistake_of_ours(db: Database) -> None:
    with pytest.raises(ValueError, match="hash"):
        submit(db, make_submission(idempotency_key="key"))
    assert count(db, JobRow) == 0


@pytest.fixture
def postgres(migrated_postgres_url: str) -> Database:
    return Database(migrated_postgres_url)


def binding(job_id: str) -> IdempotencyKeyRow:
    now = clock.now()
    return IdempotencyKeyRow(
        scope="",
        key="key",
        request_hash="a" * 64,
        job_id=job_id,
        created_at=now,
        expires_at=now + timedelta(days=1),
    )


def test_a_repeat_waits_for_the_first_and_then_gets_its_job(postgres: Database) -> None:
    first = submit(postgres, make_submission()).job_id
    with ThreadPoolExecutor(1) as threads:
        with postgres.write() as session:
            session.add(binding(first))
            session.flush()
            repeat = threads.submit(post, postgres, "key")
        assert repeat.result() == Intake(first, is_replay=True)
    assert count(postgres, JobRow) == 1
    postgres.close()


def test_a_repeat_of_what_hangs_is_told_to_come_again(postgres: Database) -> None:
    first = submit(postgres, make_submission()).job_id
    with postgres.write() as session:
        session.add(binding(first))
        session.flush()
        with pytest.raises(Conflict) as refused:
            post(postgres, "key")
        assert refused.value.status == 409
    assert count(postgres, JobRow) == 1
    assert post(postgres, "key") == Intake(first, is_replay=True)
    postgres.close()
