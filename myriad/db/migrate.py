"""Bringing a database to the newest migration."""

from contextlib import suppress
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from myriad.db.database import Database
from myriad.errors import ConfigError, DatabaseUnavailable

_SCRIPTS = Path(__file__).resolve().parents[2] / "migrations"


def upgrade(database_url: str, revision: str = "head") -> None:
    """Apply every migration up to `revision` that the database does not have yet."""
    Database(database_url).close()  # makes the folder of a new SQLite file
    command.upgrade(alembic_config(database_url), revision)


def is_current(db: Database) -> bool:
    """Whether the database has every migration this release knows.

    A revision unknown to us is of a later release, which only added to what we use:
    during an upgrade old processes go on beside new ones.
    """
    scripts = ScriptDirectory.from_config(alembic_config(""))
    with db.read() as session:
        revision = MigrationContext.configure(session.connection()).get_current_revision()
    if revision is None or revision == scripts.get_current_head():
        return revision is not None
    return revision not in {script.revision for script in scripts.walk_revisions()}


def check_migrated(db: Database) -> None:
    """Raise ConfigError if the database lacks a migration; one that is away is given time."""
    with suppress(DatabaseUnavailable):
        if not is_current(db):
            raise ConfigError("the database is not up to date: run `myriad migrate`")


def alembic_config(database_url: str) -> Config:
    """What Alembic has to know of this release's migrations and of the database."""
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.attributes["database_url"] = database_url
    return config
