"""`myriad generate`: a prompt in, pictures or videos in files out."""

from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from myriad.cli.connection import connect, with_farm
from myriad.cli.picture_options import PICTURE, ControlNetImage, Scaled, ScaledName, hand_in
from myriad.client import Client, Job
from myriad.errors import MyriadError

_FORMATS = {".png": "png", ".webp": "webp", ".jpg": "jpeg", ".jpeg": "jpeg", ".mp4": "mp4"}


@click.command()
@click.argument("prompt")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write: .png (picture.png), .webp, .jpg or .mp4 (video.mp4). Several get numbers.",
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
@click.option("--image", type=PICTURE, help="A picture to start from: PNG, JPEG or WebP.")
@click.option("--strength", type=float, help="How much of it to draw anew, up to 1.")
@click.option("--mask", type=PICTURE, help="White where the picture is to be drawn anew.")
@click.option(
    "--controlnet", type=ControlNetImage(), multiple=True, help="Follow FILE; repeatable."
)
@click.option("--lora", type=ScaledName(), multiple=True, help="Add a LoRA.")
@click.option("--refiner", type=ScaledName(), help="Finish with a refiner, after NUMBER of 1.")
@click.option("--num-frames", type=int, help="More than one: a video.")
@click.option("--fps", type=int, help="Frames per second of a video.")
@click.option("--reproducible", is_flag=True, help="The same bytes whatever runs beside it.")
@click.option("--no-cache", is_flag=True, help="Draw afresh even if the answer is known.")
@with_farm
def generate(
    prompt: str,
    output: Path | None,
    controlnet: tuple[Scaled, ...],
    lora: tuple[Scaled, ...],
    refiner: Scaled | None,
    no_cache: bool,
    url: str,
    key: str | None,
    **params: Any,
) -> None:
    """Draw PROMPT on a running farm and print the path of each picture or video."""
    output = output or Path("video.mp4" if (params["num_frames"] or 1) > 1 else "picture.png")
    output_format = _format_of(output)
    with connect(url, key) as client:
        pictures = {name: hand_in(client, params.pop(name)) for name in ("image", "mask")}
        job = client.submit(
            prompt,
            **params,
            **pictures,
            controlnets=[use.as_controlnet(client) for use in controlnet],
            loras=[use.as_lora() for use in lora],
            refiner=refiner.as_refiner() if refiner else None,
            output_format=output_format,
            cache=False if no_cache else None,
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
