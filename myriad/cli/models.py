"""`myriad models`."""

import json
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from myriad.cli.connection import connect, with_farm


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@with_farm
def models(as_json: bool, url: str, key: str | None) -> None:
    """List the models of a running farm; the first is the default."""
    with connect(url, key) as client:
        found = client.models()
    if as_json:
        for model in found:
            click.echo(json.dumps(model, ensure_ascii=False))
    else:
        Console(markup=False).print(_table(found))


def _table(found: list[dict[str, Any]]) -> Table:
    table = Table("name", "family", "size", "languages", "licence", "title", "resident", box=None)
    for model in found:
        table.add_row(*_row(model))
    return table


def _row(model: dict[str, Any]) -> tuple[str, ...]:
    defaults = model["defaults"]
    return (
        model["name"],
        model["family"],
        f"{defaults['width']}x{defaults['height']}",
        " ".join(model["languages"]),
        model["licence"],
        model["title"],
        ", ".join(_place(each) for each in model["resident"]) or "nowhere yet",
    )


def _place(resident: dict[str, Any]) -> str:
    """`all: device 24 MiB`, `gpu: device 6,617 MiB x 2`."""
    size = f" {resident['size_bytes'] / 2**20:,.0f} MiB" if resident["size_bytes"] else ""
    count = f" x {resident['workers']}" if resident["workers"] > 1 else ""
    return f"{resident['pool']}: {resident['tier']}{size}{count}"
