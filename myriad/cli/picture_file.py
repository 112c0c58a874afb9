"""Where pictures go: names made from the prompt, and whole files only."""

import os
import re
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import click

from myriad.client import Client, Job

FORMATS = {".png": "png", ".webp": "webp", ".jpg": "jpeg", ".jpeg": "jpeg", ".mp4": "mp4"}
STDOUT = "-"
_ENDINGS = {"png": ".png", "webp": ".webp", "jpeg": ".jpg", "mp4": ".mp4"}
_LONGEST = 40


@dataclass(frozen=True)
class Target:
    """Where the pictures of one job go: a file, standard output, or names of their own."""

    output: str | None
    output_format: str

    @property
    def is_stdout(self) -> bool:
        return self.output == STDOUT

    def save(self, client: Client, job: Job) -> list[Path]:
        """Write each picture of the job; returns the absolute paths, none for standard output."""
        images = job["output"]
        if self.is_stdout:
            sys.stdout.buffer.write(client.download(images[0]["url"]))
            sys.stdout.buffer.flush()
            return []
        paths = []
        for index, image in enumerate(images):
            data = client.download(image["url"])
            named = self._path(job, index).absolute()
            path = named if self.output else _unused(named, data)
            write_whole(path, data)
            paths.append(path)
        return paths

    def _path(self, job: Job, index: int) -> Path:
        if self.output is None:
            name = f"{slug(job['input']['prompt'])}-{job['output'][index]['seed']}"
            return Path(name + _ENDINGS[self.output_format])
        path = Path(self.output)
        count = len(job["output"])
        return path if count == 1 else path.with_name(f"{path.stem}-{index + 1}{path.suffix}")


def target(output: str | None, output_format: str | None, *, is_video: bool, count: int) -> Target:
    """What `--output` and `--format` mean together. Raises BadParameter if nothing."""
    usual = "mp4" if is_video else "png"
    if output is None:
        return Target(None, output_format or usual)
    if output == STDOUT:
        if count > 1:
            raise click.BadParameter("standard output takes one picture", param_hint="--output")
        if sys.stdout.isatty():
            raise click.BadParameter("standard output is a terminal", param_hint="--output")
        return Target(STDOUT, output_format or usual)
    named = FORMATS.get(Path(output).suffix.lower())
    if named is None:
        raise click.BadParameter(f"must end in {', '.join(FORMATS)}", param_hint="--output")
    if Path(output).is_dir():
        raise click.BadParameter(f"{output} is a folder", param_hint="--output")
    if output_format not in (None, named):
        raise click.BadParameter(f"is not what {output} says", param_hint="--format")
    return Target(output, named)


def ending_of(content_type: str) -> str:
    """What a file of that media type ends in."""
    return _ENDINGS[content_type.rpartition("/")[2]]


def slug(prompt: str) -> str:
    """The beginning of a prompt as part of a file's name: letters and digits of any script."""
    words = "-".join(re.findall(r"\w+", prompt.lower()))
    short = words if len(words) <= _LONGEST else words[: _LONGEST + 1].rpartition("-")[0]
    return short or words[:_LONGEST] or "picture"


def write_whole(path: Path, data: bytes) -> None:
    """Write the file, or leave what was there: never a part of it."""
    part = path.with_name(f".{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(data)
        part.replace(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        with suppress(OSError):
            part.unlink()


def _unused(path: Path, data: bytes) -> Path:
    """The path, or the next number behind it that is free or holds the same bytes."""
    count, free = 1, path
    while free.exists() and free.read_bytes() != data:
        count += 1
        free = path.with_name(f"{path.stem}-{count}{path.suffix}")
    return free
