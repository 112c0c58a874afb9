"""`myriad keys`: who may use the farm."""

import click
from rich.console import Console
from rich.table import Table

from myriad.cli.database import migrated_database
from myriad.db.keys import create_key, list_keys, revoke_key


@click.group()
def keys() -> None:
    """Make, list and revoke API keys. With the first key, every request needs one."""


@keys.command()
@click.argument("name")
def create(name: str) -> None:
    """Make a key called NAME and show it, this once."""
    with migrated_database() as db:
        key_id, key = create_key(db, name)
    click.echo(f"id   {key_id}\nkey  {key}")
    click.echo("Keep it: it cannot be shown again.", err=True)


@keys.command("list")
def show() -> None:
    """List the keys: their names and ids, never the keys themselves."""
    table = Table("id", "name", "created", "revoked", box=None)
    with migrated_database() as db:
        for key in list_keys(db):
            revoked = f"{key.revoked_at:%Y-%m-%d %H:%M}" if key.revoked_at else ""
            table.add_row(key.id, key.name, f"{key.created_at:%Y-%m-%d %H:%M}", revoked)
    Console(markup=False).print(table)


@keys.command()
@click.argument("key_id", metavar="ID")
def revoke(key_id: str) -> None:
    """Refuse the key of this ID from now on."""
    with migrated_database() as db:
        revoke_key(db, key_id)
    click.echo(f"revoked {key_id}")
