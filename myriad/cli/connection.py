"""The options of every command that talks to a running farm."""

from collections.abc import Callable
from typing import Any

import click
import httpx

from myriad.client import Client

DEFAULT_URL = "http://127.0.0.1:8600"


def _url(context: click.Context, parameter: click.Parameter, value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise click.BadParameter("must start with http:// or https://", param_hint="--url")
    try:
        host = httpx.URL(value).host
    except httpx.InvalidURL as error:
        raise click.BadParameter(str(error), param_hint="--url") from error
    if not host:
        raise click.BadParameter("names no host", param_hint="--url")
    return value


def _key(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    # A header holds nothing else; the key itself is never shown.
    if value and not (value.isascii() and value.isprintable()):
        raise click.BadParameter("is not an API key of a farm", param_hint="--key")
    return value


_URL = click.option(
    "--url",
    envvar="MYRIAD_URL",
    default=DEFAULT_URL,
    show_default=True,
    callback=_url,
    help="Address of the farm.",
)
_KEY = click.option(
    "--key", envvar="MYRIAD_KEY", callback=_key, help="API key, where the farm asks for one."
)


def with_farm(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--url` and `--key`; MYRIAD_URL and MYRIAD_KEY say the same."""
    return _URL(_KEY(command))


def connect(url: str, key: str | None) -> Client:
    """A client for what the options say."""
    return Client(url, key or None)
