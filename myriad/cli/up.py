"""`myriad up`: the whole farm on this machine."""

import socket
import sys
from pathlib import Path

import click

from myriad.errors import Conflict
from myriad.settings import Settings, load_settings
from myriad.up.farm import run_farm


@click.command()
@click.option("--port", type=click.IntRange(1, 65_535), help="Instead of MYRIAD_PORT.")
@click.option("--prompt", help="Draw this once the farm is ready.")
@click.option("--once", is_flag=True, help="Stop after that picture.")
def up(port: int | None, prompt: str | None, once: bool) -> None:
    """Run a whole farm here until Ctrl-C.

    Broker, database, pictures and logs are kept under MYRIAD_HOME (./.myriad).
    """
    if once and prompt is None:
        raise click.UsageError("--once needs --prompt")
    settings = _settle(load_settings(), port)
    _check_port(settings)
    sys.exit(run_farm(settings, prompt, is_once=once))


def _settle(settings: Settings, port: int | None) -> Settings:
    changes: dict[str, Path | int] = {"home": settings.home.absolute()}
    return settings.model_copy(update=changes | ({"port": port} if port else {}))


def _check_port(settings: Settings) -> None:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise Conflict(
                f"cannot listen on {settings.host}:{settings.port} ({error.strerror});"
                " choose another with --port or MYRIAD_PORT"
            ) from error
