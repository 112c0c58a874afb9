"""`myriad batch`: a file of requests in, a folder of pictures and a manifest out."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress

from myriad.cli.batch_file import Line, read_lines
from myriad.cli.batch_log import MANIFEST, BatchLog, Record, open_log
from myriad.cli.batch_run import BatchRun
from myriad.cli.connection import connect, with_farm
from myriad.cli.group import FAILED
from myriad.cli.watch import bar
from myriad.errors import InvalidRequest
from myriad.job import JobState


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "-o",
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the pictures; without it, one called as FILE without its ending.",
)
@click.option("--retry-failed", is_flag=True, help="Draw lines again whose job has failed.")
@click.option("--json", "as_json", is_flag=True, help="Print the manifest's lines, not paths.")
@with_farm
def batch(
    file: Path, out: Path | None, retry_failed: bool, as_json: bool, url: str, key: str | None
) -> None:
    """Draw every line of FILE, a JSON object each, such as {"prompt": "a red circle"}.

    A line has the fields of the API's request; its pictures may be files, relative to FILE. What is
    drawn goes into one folder, with manifest.jsonl. Run it again to continue, after Ctrl-C or
    anything else: nothing is drawn twice, and of a changed file only what is new. A line that fails
    stops no other.
    """
    lines = read_lines(file)
    if not lines:
        raise InvalidRequest(f"{file} has no lines")
    out = out or file.with_suffix("")
    if out == file:
        raise click.UsageError("FILE has no ending to leave out: needs --out")
    console = Console(stderr=True)
    with (
        connect(url, key) as client,
        open_log(out) as log,
        _kept_in_order(log, lines),
        bar(console, moves_by_itself=True) as progress,
    ):
        report = _Report(progress, len(lines), out, as_json=as_json)
        BatchRun(client, log, file.parent, out, report, again=retry_failed).run(lines)
    click.echo(f"{report}; all in {out / MANIFEST}", err=True)
    if report.is_short:
        click.get_current_context().exit(FAILED)


@contextmanager
def _kept_in_order(log: BatchLog, lines: list[Line]) -> Iterator[None]:
    """Put the manifest in order at the end, whatever it is, and tell how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        click.echo("what is under way goes on at the farm; run it again to continue", err=True)
        raise
    finally:
        log.put_in_order(lines)


class _Report:
    """Prints what came of each line, and moves the bar."""

    def __init__(self, progress: Progress, count: int, out: Path, *, as_json: bool) -> None:
        self._progress, self._out, self._as_json = progress, out, as_json
        self._task = progress.add_task("", total=count)
        self._states: Counter[str] = Counter()

    def __call__(self, records: list[Record]) -> None:
        self._states[records[0]["status"]] += 1
        self._progress.update(self._task, advance=1, description=str(self))
        for record in records:
            if self._as_json:
                click.echo(json.dumps(record, ensure_ascii=False))
            elif record["file"]:
                click.echo((self._out / record["file"]).absolute())
            if record["error"]:
                click.echo(f"line {record['line']}: {record['error']}", err=True)

    def __str__(self) -> str:
        return ", ".join(f"{count} {status}" for status, count in self._states.items())

    @property
    def is_short(self) -> bool:
        """Whether any line has come to nothing."""
        return set(self._states) != {JobState.SUCCEEDED.value}
