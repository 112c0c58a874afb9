"""`myriad doctor`: what is here, what fits, what it costs, and what to do about it."""

import os
import re
import sys
from typing import NoReturn

import click

from myriad.catalog import load_catalog
from myriad.pool import load_pools
from myriad.settings import load_settings

_SIZE = re.compile(r"[1-9][0-9]{1,4}x[1-9][0-9]{1,4}")


def _size(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and not _SIZE.fullmatch(value):
        raise click.BadParameter("must be WIDTHxHEIGHT in pixels, such as 512x768")
    return value


@click.command()
@click.option("--model", help="Run this one; otherwise the first that is on this machine.")
@click.option("--size", callback=_size, metavar="WxH", help="Instead of the model's default.")
@click.option(
    "--budget",
    type=click.FloatRange(1, 3600),
    default=60.0,
    show_default=True,
    help="Seconds to spend on running it; the rest is estimated.",
)
@click.option("--quick", is_flag=True, help="Run nothing, look only.")
@click.option("--json", "is_json", is_flag=True, help="Print everything as JSON.")
def doctor(model: str | None, size: str | None, budget: float, quick: bool, is_json: bool) -> None:
    """Look at this machine: devices, models, what fits, what it costs.

    Ends with a pools.toml for it. Needs what a worker needs (the extra `worker`).
    """
    settings = load_settings()
    load_pools(settings.pools)
    load_catalog(settings.catalog).find(model)
    options = (("--model", model), ("--size", size), ("--budget", str(budget)))
    flags = (("--quick", quick), ("--json", is_json))
    _become(
        *(text for name, value in options if value is not None for text in (name, value)),
        *(name for name, is_set in flags if is_set),
    )


def _become(*arguments: str) -> NoReturn:
    """Turn this process into the doctor's own, which may import torch."""
    sys.stdout.flush()
    argv = (sys.executable, "-m", "workers.doctor", *arguments)
    os.execv(sys.executable, argv)  # noqa: S606 - no shell is the point
