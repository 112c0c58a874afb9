"""`myriad jobs` and `myriad cancel`."""

import json
from itertools import islice

import click
from rich.console import Console
from rich.table import Table

from myriad.cli.connection import connect, with_farm
from myriad.client import Job
from myriad.job import JobState


@click.command()
@click.option(
    "--status", type=click.Choice([state.value for state in JobState]), help="Only these."
)
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@with_farm
def jobs(status: str | None, limit: int, as_json: bool, url: str, key: str | None) -> None:
    """List your jobs, newest first."""
    with connect(url, key) as client:
        found = list(islice(client.jobs(status), limit))
    if as_json:
        for job in found:
            click.echo(json.dumps(job, ensure_ascii=False))
    else:
        Console(markup=False).print(_table(found))


@click.command()
@click.argument("job_id", metavar="ID")
@with_farm
def cancel(job_id: str, url: str, key: str | None) -> None:
    """Cancel the job of this ID."""
    with connect(url, key) as client:
        click.echo(client.cancel(job_id)["status"])


def _table(found: list[Job]) -> Table:
    table = Table("id", "status", "stage", "model", "took", "prompt", box=None)
    for job in found:
        total_s = job["metrics"]["total_s"]
        took = f"{total_s:.1f} s" if total_s is not None else f"{job['progress']:.0%}"
        prompt = " ".join(job["input"]["prompt"].split())
        short = prompt if len(prompt) <= 60 else f"{prompt[:59]}…"
        table.add_row(job["id"], job["status"], job["stage"], job["model"], took, short)
    return table
