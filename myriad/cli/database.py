"""`myriad migrate`, and the database as other commands find it."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from myriad.db.database import Database
from myriad.db.migrate import is_current, upgrade
from myriad.errors import ConfigError
from myriad.settings import load_settings


@click.command()
def migrate() -> None:
    """Bring the database up to date; harmless when it is."""
    upgrade(load_settings().database)
    click.echo("the database is up to date")


@contextmanager
def migrated_database() -> Iterator[Database]:
    """The farm's database. Raises ConfigError unless it has every migration."""
    db = Database(load_settings().database)
    try:
        if not is_current(db):
            raise ConfigError("the database is not up to date: run `myriad migrate`")
        yield db
    finally:
        db.close()
