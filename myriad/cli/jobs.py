"""`myriad jobs`, `job`, `cancel` and `delete`."""

import json
from collections.abc import Callable
from itertools import islice

import click
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from myriad.cli.connection import connect, with_farm
from myriad.cli.group import DONE, say_error
from myriad.cli.suggest import suggest_jobs, suggest_live_jobs, suggest_models
from myriad.cli.watch import doing, why
from myriad.client import Job
from myriad.errors import MyriadError, Unauthorized, Unavailable
from myriad.job import JobState


@click.command()
@click.option(
    "--status", type=click.Choice([state.value for state in JobState]), help="Only these."
)
@click.option("--model", shell_complete=suggest_models, help="Only those of this model.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@with_farm
def jobs(
    status: str | None, model: str | None, limit: int, as_json: bool, url: str, key: str | None
) -> None:
    """List your jobs, newest first."""
    with connect(url, key) as client:
        found = list(islice(client.jobs(status, model=model), limit))
    if as_json:
        for each in found:
            click.echo(json.dumps(each, ensure_ascii=False))
    else:
        Console(markup=False).print(_table(found))


@click.command()
@click.argument("job_id", metavar="ID", shell_complete=suggest_jobs)
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
@with_farm
def job(job_id: str, as_json: bool, url: str, key: str | None) -> None:
    """Show all that is known of the job of this ID."""
    with connect(url, key) as client:
        found = client.get(job_id)
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
    else:
        Console(markup=False).print(_facts(found))


@click.command()
@click.argument(
    "job_ids", metavar="ID...", nargs=-1, required=True, shell_complete=suggest_live_jobs
)
@with_farm
def cancel(job_ids: tuple[str, ...], url: str, key: str | None) -> None:
    """Cancel the job of each ID; one that has ended stays as it is."""
    with connect(url, key) as client:
        _each(job_ids, lambda job_id: str(client.cancel(job_id)["status"]))


@click.command()
@click.argument("job_ids", metavar="ID...", nargs=-1, required=True, shell_complete=suggest_jobs)
@with_farm
def delete(job_ids: tuple[str, ...], url: str, key: str | None) -> None:
    """Delete the job of each ID with its pictures and all that is kept of it."""

    def gone(job_id: str) -> str:
        client.delete(job_id)
        return "deleted"

    with connect(url, key) as client:
        _each(job_ids, gone)


def _each(job_ids: tuple[str, ...], act: Callable[[str], str]) -> None:
    """Do it to every job and print how it stands; one that cannot be had stops no other."""
    worst = DONE
    for job_id in dict.fromkeys(job_ids):
        try:
            click.echo(f"{job_id} {act(job_id)}")
        except (Unavailable, Unauthorized):
            raise  # so it would be with the others
        except MyriadError as error:
            worst = max(worst, say_error(error))
    click.get_current_context().exit(worst)


def _table(found: list[Job]) -> Table:
    whole_id = Column("id", min_width=32, no_wrap=True)  # the other commands ask for it
    status, stage, duration = (Column(name, no_wrap=True) for name in ("status", "stage", "took"))
    table = Table(whole_id, status, stage, "model", duration, "prompt", box=None)
    for each in found:
        total_s = each["metrics"]["total_s"]
        took = f"{total_s:.1f} s" if total_s is not None else f"{each['progress']:.0%}"
        prompt = " ".join(each["input"]["prompt"].split())
        short = Text(prompt if len(prompt) <= 60 else f"{prompt[:59]}…", no_wrap=True)
        table.add_row(each["id"], each["status"], each["stage"], each["model"], took, short)
    return table


def _facts(found: Job) -> Table:
    table = Table("name", Column("value", overflow="fold"), box=None, show_header=False)
    is_failure = found["status"] in (JobState.FAILED, JobState.CANCELED)
    table.add_row("status", why(found) if is_failure else doing(found))
    for name in ("id", "model", "cache", "priority", "created_at", "started_at", "completed_at"):
        table.add_row(name, _text(found[name]))
    for name, value in (found["input"] | found["metrics"]).items():
        if value not in (None, "", []):
            table.add_row(name, _text(value))
    for name, text in found["metadata"].items():
        table.add_row(f"label {name}", text)
    for note in found["notes"]:
        table.add_row("note", note)
    for image in found["output"] or []:
        table.add_row("picture", image["url"])
    return table


def _text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
