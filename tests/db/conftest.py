"""A migrated database, once on SQLite and once on PostgreSQL."""

from collections.abc import Iterator

import pytest

from myriad.claimant import Claimant
from myriad.db.database import Database


@pytest.fixture
def db(migrated_url: str) -> Iterator[Database]:
    database = Database(migrated_url)
    yield database
    database.close()


@pytest.fixture
def worker() -> Claimant:
    return Claimant("all@host.1.aa", "all", "cpu")
