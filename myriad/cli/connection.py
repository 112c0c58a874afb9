"""The options of every command that talks to a running farm."""

from collections.abc import Callable
from typing import Any

import click

from myriad.client import Client

_URL = click.option(
    "--url",
    envvar="MYRIAD_URL",
    default="http://127.0.0.1:8600",
    show_default=True,
    help="Address of the farm.",
)
_KEY = click.option("--key", envvar="MYRIAD_KEY", help="API key, where the farm asks for one.")


def with_farm(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--url` and `--key`; MYRIAD_URL and MYRIAD_KEY say the same."""
    return _URL(_KEY(command))


def connect(url: str, key: str | None) -> Client:
    """A client for what the options say. Raises a usage error if `url` is none."""
    if not url.startswith(("http://", "https://")):
        raise click.BadParameter("must start with http:// or https://", param_hint="--url")
    return Client(url, key)
