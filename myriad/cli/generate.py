"""`myriad generate`: a prompt in, pictures in files out."""

from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from myriad.cli.connection import connect, with_farm
from myriad.client import Client, Job
from myriad.errors import MyriadError

_FORMATS = {".png": "png", ".webp": "webp", ".jpg": "jpeg", ".jpeg": "jpeg"}


@click.command()
@click.argument("prompt")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default="picture.png",
    show_default=True,
    help="File to write: .png, .webp or .jpg. Several pictures get numbers.",
)
@click.option("--negative-prompt", help="What should not be in it.")
@click.option("--model", help="A name from `myriad models`.")
@click.option("--width", type=int, help="Pixels.")
@click.option("--height", type=int, help="Pixels.")
@click.option("--steps", "num_inference_steps", type=int, help="Denoising steps.")
@click.option("--guidance-scale", type=float, help="How strictly to follow the prompt.")
@click.option("--scheduler", help="A noise scheduler by its diffusers name.")
@click.option("--seed", type=int, help="The same seed draws the same picture.")
@click.option("--num-images", type=int, help="How many pictures.")
@click.option("--no-cache", is_flag=True, help="Draw afresh even if the answer is known.")
@with_farm
def generate(
    prompt: str, output: Path, no_cache: bool, url: str, key: str | None, **params: Any
) -> None:
    """Draw PROMPT on a running farm and print the path of each picture."""
    output_format = _format_of(output)
    with connect(url, key) as client:
        job = client.submit(
            prompt, **params, output_format=output_format, cache=False if no_cache else None
        )
        job = _watch(client, job)
        for path in _save(client, job, output):
            click.echo(path)


def _format_of(output: Path) -> str:
    if (ending := output.suffix.lower()) not in _FORMATS:
        raise click.BadParameter(f"must end in {', '.join(_FORMATS)}", param_hint="--output")
    return _FORMATS[ending]


def _watch(client: Client, job: Job) -> Job:
    """The finished job; Ctrl-C cancels it. Raises MyriadError if it did not succeed."""
    bar = Progress(
        TextColumn("{task.description:<8}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )
    with bar:
        line = bar.add_task("queued", total=1.0)
        try:
            job = client.wait(job["id"], lambda now: _show(bar, line, now))
        except KeyboardInterrupt:
            client.cancel(job["id"])
            raise
    if job["status"] != "succeeded":
        raise MyriadError(_why(job))
    return job


def _show(bar: Progress, line: Any, job: Job) -> None:
    doing = job["stage"] if job["status"] == "running" else job["status"]
    bar.update(line, completed=job["progress"], description=doing)


def _why(job: Job) -> str:
    error = job["error"]
    return f"the job {job['status']}" + (f": {error['message']}" if error else "")


def _save(client: Client, job: Job, output: Path) -> list[Path]:
    """Write each picture whole; returns the absolute paths."""
    images = job["output"]
    output.parent.mkdir(parents=True, exist_ok=True)
    paths = [_numbered(output, index, len(images)) for index in range(len(images))]
    for image, path in zip(images, paths, strict=True):
        path.write_bytes(client.download(image["url"]))
    return paths


def _numbered(output: Path, index: int, count: int) -> Path:
    name = output.name if count == 1 else f"{output.stem}-{index + 1}{output.suffix}"
    return output.absolute().with_name(name)
