"""Rows of pictures handed in: one for each caller that has them."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from myriad.db.database import Database
from myriad.db.inputs import find_inputs, keep_input
from myriad.db.intake import submit
from myriad.db.tables import InputRow, JobRow
from myriad.errors import InvalidRequest
from myriad.record import InputRecord
from tests.db.steps import count
from tests.submissions import make_submission

DIGEST = "a" * 64


def keep(db: Database, scope: str = "", digest: str = DIGEST) -> InputRecord:
    return keep_input(db, scope=scope, digest=digest, size_bytes=9, width=2, height=3)


def test_an_input_is_found_by_its_owner_alone(db: Database) -> None:
    kept = keep(db, "mine")
    assert (kept.width, kept.height, kept.size_bytes) == (2, 3, 9)
    assert find_inputs(db, [DIGEST, "b" * 64], scope="mine") == {DIGEST: kept}
    assert find_inputs(db, [DIGEST], scope="yours") == {}
    assert find_inputs(db, [], scope="mine") == {}


def test_the_same_again_makes_it_young(db: Database) -> None:
    first, second = keep(db), keep(db)
    assert second.created_at > first.created_at
    assert count(db, InputRow) == 1
    keep(db, "another")
    assert count(db, InputRow) == 2


def test_the_same_at_once_is_one_row(db: Database) -> None:
    with ThreadPoolExecutor(8) as threads:
        kept = list(threads.map(lambda _: keep(db), range(16)))
    assert {record.digest for record in kept} == {DIGEST}
    assert count(db, InputRow) == 1


def test_a_job_cannot_name_what_was_just_forgotten(db: Database) -> None:
    with pytest.raises(InvalidRequest, match="hand the picture in again"):
        submit(db, make_submission(image=DIGEST))
    assert count(db, JobRow) == 0
    keep(db)
    submit(db, make_submission(image=DIGEST))
    assert count(db, JobRow) == 1
