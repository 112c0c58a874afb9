"""A migrated database, once on SQLite and once on PostgreSQL."""

from collections.abc import Iterator

import pytest

from myriad.db.claim import Claimant
from myriad.db.database import Database
from myriad.db.migrate import upgrade


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    upgrade(database_url)
    database = Database(database_url)
    yield database
    database.close()


@pytest.fixture
def worker() -> Claimant:
    return Claimant("all@host.1.aa", "all", "cpu")
