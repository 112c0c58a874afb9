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
@click.option(
    "--index",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Which of the machine's devices, if the pool's names none (`cuda`).",
)
def worker(pool: str, index: int) -> None:
    """Do the work of POOL, one of pools.toml."""
    settings = load_settings()
    own = find_pool(load_pools(settings.pools), pool).device_of(index)
    _become("workers", pool, MYRIAD_DEVICE=settings.device or own)


@click.command()
def janitor() -> None:
    """Keep jobs moving: take them back from the dead, send lost hints again."""
    _become("tasks.janitor")


@click.command()
def sender() -> None:
    """Deliver webhooks."""
    _become("tasks.sender")


def _become(*module: str, **environment: str) -> NoReturn:
    """Turn this process into `python -m …`, so that signals reach it directly."""
    sys.stdout.flush()
    argv = (sys.executable, "-m", *module)
    os.execve(argv[0], argv, os.environ | environment)  # noqa: S606 - no shell is the point
