"""`myriad generate`: a prompt in, pictures or videos in files out."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from myriad.cli.connection import connect, with_farm
from myriad.cli.picture_file import Target, target
from myriad.cli.request_options import request_of, with_request
from myriad.cli.watch import follow, show_result, why
from myriad.client import Job
from myriad.errors import MyriadError


@click.command()
@click.argument("prompt")
@click.option(
    "-o",
    "--output",
    help="File to write: .png, .webp, .jpg or .mp4; several get numbers. - is standard output.",
)
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["png", "webp", "jpeg", "mp4"]),
    help="Where the file's name does not say it.",
)
@with_request
@click.option("--watch", is_flag=True, help="Show the picture while it is drawn.")
@click.option("--json", "as_json", is_flag=True, help="Print the job as one JSON object.")
@with_farm
def generate(
    prompt: str,
    output: str | None,
    output_format: str | None,
    watch: bool,
    as_json: bool,
    url: str,
    key: str | None,
    **options: Any,
) -> None:
    """Draw PROMPT on a running farm and print the path of each picture or video.

    PROMPT is - to read it from standard input. Without --output a file is called after prompt and
    seed, and none is overwritten. Ctrl-C cancels the job.
    """
    is_video = (options["num_frames"] or 1) > 1
    place = target(output, output_format, is_video=is_video, count=options["num_images"] or 1)
    if place.is_stdout and as_json:
        raise click.UsageError("--json needs standard output for itself: not with --output -")
    prompt = _text(prompt)
    with connect(url, key) as client:
        job = client.submit(prompt, output_format=place.output_format, **request_of(options))
        job = follow(client, job["id"], is_watched=watch)
        paths = place.save(client, job) if job["status"] == "succeeded" else []
    if watch and paths:
        show_result(paths[0].read_bytes())
    _report(job, paths, place, as_json=as_json)


def _text(prompt: str) -> str:
    """The prompt, read from standard input where that is meant. Raises BadParameter."""
    try:
        if prompt == "-":
            return sys.stdin.buffer.read().decode().strip()
        prompt.encode()  # what the shell gave that is not UTF-8
    except UnicodeError as error:
        raise click.BadParameter("is not UTF-8", param_hint="PROMPT") from error
    return prompt


def _report(job: Job, paths: list[Path], place: Target, *, as_json: bool) -> None:
    """Say what there is now. Raises MyriadError if the job did not succeed."""
    files = [str(path) for path in paths]
    if as_json:
        click.echo(json.dumps({**job, "files": files}, ensure_ascii=False))
    elif not place.is_stdout:
        click.echo("".join(f"{file}\n" for file in files), nl=False)
    if job["status"] != "succeeded":
        raise MyriadError(why(job))
