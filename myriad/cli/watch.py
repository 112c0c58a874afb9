"""Watching a job on the terminal: its bar, its picture; plain lines where there is no terminal."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import click
from rich.console import Console, Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from myriad.cli.terminal_picture import Drawn, clear_pictures, drawn
from myriad.client import Client, Job
from myriad.errors import MyriadError
from myriad.job import JobState, Stage, overall_progress

Show = Callable[[Job], None]


def follow(client: Client, job_id: str, *, is_watched: bool) -> Job:
    """The job once it is final; Ctrl-C cancels it. All there is to see goes to stderr."""
    console = Console(stderr=True)
    with _shown(console, client, is_watched=is_watched) as show:
        try:
            return client.wait(job_id, show)
        except KeyboardInterrupt:
            with suppress(MyriadError):
                client.cancel(job_id)
            raise


def show_result(picture: bytes) -> None:
    """The finished picture, on a terminal that can."""
    console = Console(stderr=True)
    image = drawn(picture, os.environ) if _can_show(console) else None
    if image:
        console.print(image)


def doing(job: Job) -> str:
    """What happens to the job: `queued, 3 before it`, `denoise, step 12 of 20`."""
    if job["status"] == JobState.QUEUED:
        before = job["queue_position"]
        return "queued" if before is None else f"queued, {before} before it"
    if job["status"] != JobState.RUNNING:
        return str(job["status"])
    steps = _steps(job)
    if job["stage"] != Stage.DENOISE:
        return str(job["stage"])
    return f"denoise, step {round(steps * _part_of_stage(job))} of {steps}"


def why(job: Job) -> str:
    """Why there is no picture."""
    error = job["error"]
    was = "was canceled" if job["status"] == JobState.CANCELED else str(job["status"])
    return f"the job {was}" + (f": {error['message']}" if error else "")


def bar(console: Console, *, moves_by_itself: bool) -> Progress:
    """A bar with what is done, its share, and the times gone by and to come, on stderr."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        auto_refresh=moves_by_itself,
        redirect_stdout=sys.stdout.isatty(),  # what goes to a file is not for the terminal
    )


@contextmanager
def _shown(console: Console, client: Client, *, is_watched: bool) -> Iterator[Show]:
    if not console.is_terminal:
        yield _Lines() if is_watched else _nothing
        return
    has_picture = is_watched and _can_show(console)
    try:
        with Live(
            console=console, auto_refresh=False, transient=is_watched, redirect_stdout=False
        ) as live:
            yield _Screen(live, client if has_picture else None)
    finally:
        if has_picture:
            clear_pictures(console, os.environ)


class _Lines:
    """A line whenever something else happens to the job."""

    def __init__(self) -> None:
        self._last = ""

    def __call__(self, job: Job) -> None:
        line = doing(job)
        if line != self._last:
            click.echo(line, err=True)
        self._last = line


class _Screen:
    """The bar, under the picture as far as it is drawn; without a client no picture."""

    def __init__(self, live: Live, client: Client | None) -> None:
        self._live, self._client = live, client
        self._bar = bar(live.console, moves_by_itself=False)
        self._line = self._bar.add_task("queued", total=1.0)
        self._picture: Drawn | None = None

    def __call__(self, job: Job) -> None:
        self._bar.update(self._line, completed=job["progress"], description=doing(job))
        if self._client and job["status"] == JobState.RUNNING:
            self._picture = self._fresh(self._client, job) or self._picture
        shown = (self._picture, self._bar) if self._picture else (self._bar,)
        self._live.update(Group(*shown), refresh=True)

    def _fresh(self, client: Client, job: Job) -> Drawn | None:
        with suppress(MyriadError):  # a picture less is no reason to stop watching
            preview = client.preview(job["id"])
            return drawn(preview, os.environ) if preview else None
        return None


def _nothing(job: Job) -> None:
    """Nobody looks."""


def _can_show(console: Console) -> bool:
    return console.is_terminal and console.color_system is not None


def _steps(job: Job) -> int:
    """Those that are run: of a picture to start from, `strength` of them."""
    given = job["input"]
    steps: int = given["num_inference_steps"]
    return max(1, int(steps * (given["strength"] or 1)))


def _part_of_stage(job: Job) -> float:
    start, end = (
        overall_progress(JobState.RUNNING, Stage(job["stage"]), fraction) for fraction in (0, 1)
    )
    return float((job["progress"] - start) / (end - start))
