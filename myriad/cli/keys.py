"""`myriad keys`: who may use the farm."""

import json
from datetime import datetime, timedelta
from typing import Any

import click
from rich.console import Console
from rich.table import Column, Table

from myriad import clock
from myriad.cli.database import migrated_database
from myriad.cli.key_options import Duration, KeyLimit, Moment
from myriad.db.keys import create_key, get_key, list_keys, revoke_key, rotate_key
from myriad.key import DEFAULT_SCOPES, LIMIT_NAMES, ApiKey, Scope


@click.group()
def keys() -> None:
    """Make, list, rotate and revoke API keys. With the first key, every request needs one."""


@keys.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice([scope.value for scope in Scope]),
    default=DEFAULT_SCOPES,
    help="What it opens; may be given several times. Without it: read and write.",
)
@click.option("--expires", type=Moment(), help="When it ends: 30d, 12h, 2030-12-31. Else never.")
@click.option(
    "--limit",
    "limits",
    multiple=True,
    type=KeyLimit(),
    metavar="NAME=NUMBER",
    help=f"A limit of its own: {', '.join(LIMIT_NAMES)}.",
)
def create(
    name: str,
    scopes: tuple[str, ...],
    expires: datetime | None,
    limits: tuple[tuple[str, float], ...],
) -> None:
    """Make a key called NAME and show it, this once."""
    with migrated_database() as db:
        key_id, key = create_key(db, name, scopes=scopes, expires_at=expires, limits=dict(limits))
    _show_once(key_id, key)


@keys.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def show_all(as_json: bool) -> None:
    """List the keys: their names and ids, never the keys themselves."""
    with migrated_database() as db:
        found = list_keys(db)
    if as_json:
        for key in found:
            click.echo(json.dumps(_facts(key), ensure_ascii=False))
        return
    Console(markup=False).print(_table(found))


@keys.command()
@click.argument("key_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
def show(key_id: str, as_json: bool) -> None:
    """Show all that is known of the key of this ID, but the key itself."""
    with migrated_database() as db:
        facts = _facts(get_key(db, key_id))
    if as_json:
        click.echo(json.dumps(facts, ensure_ascii=False))
        return
    table = Table(box=None, show_header=False)
    for name, value in facts.items():
        table.add_row(name, _words(value))
    Console(markup=False).print(table)


@keys.command()
@click.argument("key_id", metavar="ID")
@click.option(
    "--grace",
    type=Duration(),
    default="24h",
    show_default=True,
    help="How long the secret before stays good: 0s ends it at once.",
)
def rotate(key_id: str, grace: timedelta) -> None:
    """Give the key of this ID a new secret and show it, this once. Its jobs stay its own."""
    with migrated_database() as db:
        key = rotate_key(db, key_id, grace=grace)
    _show_once(key_id, key)


@keys.command()
@click.argument("key_id", metavar="ID")
def revoke(key_id: str) -> None:
    """Refuse the key of this ID from now on."""
    with migrated_database() as db:
        revoke_key(db, key_id)
    click.echo(f"revoked {key_id}")


def _show_once(key_id: str, key: str) -> None:
    click.echo(f"id   {key_id}\nkey  {key}")
    click.echo("Keep it: it cannot be shown again.", err=True)


def _table(found: list[ApiKey]) -> Table:
    whole_id = Column("id", min_width=32)  # the other commands ask for it
    table = Table(whole_id, "name", "scopes", "state", "expires", "last used", box=None)
    for key in found:
        state, scopes = key.state(clock.now()), " ".join(sorted(key.scopes))
        table.add_row(key.id, key.name, scopes, state, *_days(key.expires_at, key.last_used_at))
    return table


def _facts(key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "state": key.state(clock.now()),
        "scopes": sorted(key.scopes),
        "limits": dict(key.limits),
        "created_at": _exact(key.created_at),
        "expires_at": _exact(key.expires_at),
        "revoked_at": _exact(key.revoked_at),
        "old_secret_until": _exact(key.old_expires_at),
        "last_used_at": _exact(key.last_used_at),
    }


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(f"{name}={most}" for name, most in value.items())
    return " ".join(value) if isinstance(value, list) else value or ""


def _exact(moment: datetime | None) -> str | None:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}" if moment else None


def _days(*moments: datetime | None) -> list[str]:
    return [f"{moment:%Y-%m-%d}" if moment else "" for moment in moments]
