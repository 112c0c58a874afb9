"""Options of `myriad generate` that are more than one word: `NAME:SCALE`, `MODEL:FILE:SCALE`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from myriad.client import Client

PICTURE = click.Path(exists=True, dir_okay=False, path_type=Path)


@dataclass(frozen=True)
class Scaled:
    """A name of the catalogue, the number after it if one was given, and a picture."""

    name: str
    scale: float | None
    image: Path | None = None

    def as_lora(self) -> dict[str, Any]:
        """An entry of the API's `loras`."""
        return {"name": self.name} | self._number("scale")

    def as_refiner(self) -> dict[str, Any]:
        """The API's `refiner`."""
        return {"model": self.name} | self._number("denoising_start")

    def as_controlnet(self, client: Client) -> dict[str, Any]:
        """An entry of the API's `controlnets`, its picture handed in."""
        image = hand_in(client, self.image)
        return {"model": self.name, "image": image} | self._number("scale")

    def _number(self, field: str) -> dict[str, float]:
        return {} if self.scale is None else {field: self.scale}


class ScaledName(click.ParamType[Scaled]):
    """`NAME` or `NAME:NUMBER`."""

    name = "name[:number]"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Scaled:
        text, scale = _split_number(str(value))
        if not text:
            self.fail("must begin with a name", param, ctx)
        return Scaled(text, scale)


class ControlNetImage(click.ParamType[Scaled]):
    """`MODEL:FILE` or `MODEL:FILE:SCALE`; the file's own name may hold colons."""

    name = "model:file[:scale]"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Scaled:
        model, _, rest = str(value).partition(":")
        if not model or not rest:
            self.fail("must be MODEL:FILE or MODEL:FILE:SCALE", param, ctx)
        if Path(rest).is_file():
            return Scaled(model, None, Path(rest))
        path, scale = _split_number(rest)
        return Scaled(model, scale, PICTURE.convert(path, param, ctx))


def hand_in(client: Client, path: Path | None) -> str | None:
    """The id of that picture at the farm."""
    return None if path is None else str(client.upload(path.read_bytes(), path.name)["id"])


def _split_number(text: str) -> tuple[str, float | None]:
    head, colon, tail = text.rpartition(":")
    try:
        return (head, float(tail)) if colon else (text, None)
    except ValueError:
        return text, None
