"""Bringing a database to the newest migration."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from myriad.db.database import Database

_SCRIPTS = Path(__file__).resolve().parents[2] / "migrations"


def upgrade(database_url: str, revision: str = "head") -> None:
    """Apply every migration up to `revision` that the database does not have yet."""
    Database(database_url).close()  # makes the folder of a new SQLite file
    command.upgrade(_config(database_url), revision)


def is_current(db: Database) -> bool:
    """Whether the database has the newest migration."""
    newest = ScriptDirectory.from_config(_config("")).get_current_head()
    with db.read() as session:
        return MigrationContext.configure(session.connection()).get_current_revision() == newest


def _config(database_url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.attributes["database_url"] = database_url
    return config
