"""Migrations and tables say the same, on both dialects."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from myriad.db.database import Database
from myriad.db.migrate import is_current, upgrade
from myriad.db.tables import Base


def test_migrations_make_exactly_the_tables(database_url: str) -> None:
    upgrade(database_url)
    db = Database(database_url)
    with db.read() as session:
        context = MigrationContext.configure(session.connection())
        assert compare_metadata(context, Base.metadata) == []
    db.close()


def test_a_database_knows_whether_it_is_current(database_url: str) -> None:
    db = Database(database_url)
    assert not is_current(db)
    upgrade(database_url)
    assert is_current(db)
    upgrade(database_url)
    db.close()
