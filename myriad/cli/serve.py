"""`myriad web | worker | janitor | sender`: one process of a farm, run in the foreground."""

import os
import sys
from typing import NoReturn

import click

from myriad.cli.database import migrated_database
from myriad.exposure import check_exposure
from myriad.pool import find_pool, load_pools
from myriad.settings import load_settings
from myriad.up.programs import GUNICORN


@click.command()
@click.option("--open", "is_open", is_flag=True, help="Without API keys, let other machines in.")
def web(is_open: bool) -> None:
    """Serve the API and the pages."""
    if not is_open:
        with migrated_database() as db:
            check_exposure(load_settings(), db)
    _become(*GUNICORN)


@click.command()
@click.argument("pool")
def worker(pool: str) -> None:
    """Do the work of POOL, one of pools.toml."""
    find_pool(load_pools(load_settings().pools), pool)
    _become("workers", pool)


@click.command()
def janitor() -> None:
    """Keep jobs moving: take them back from the dead, send lost hints again."""
    _become("tasks.janitor")


@click.command()
def sender() -> None:
    """Deliver webhooks."""
    _become("tasks.sender")


def _become(*module: str) -> NoReturn:
    """Turn this process into `python -m …`, so that signals reach it directly."""
    sys.stdout.flush()
    os.execv(sys.executable, (sys.executable, "-m", *module))  # noqa: S606 - no shell is the point
