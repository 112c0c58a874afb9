"""Options of `myriad generate` in parts: `NAME:SCALE`, `MODEL:FILE:SCALE`, `NAME=TEXT`."""

from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import click

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

    def as_controlnet(self) -> dict[str, Any]:
        """An entry of the API's `controlnets`."""
        return {"model": self.name, "image": self.image} | self._number("scale")

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


class Number(click.ParamType[float]):
    """A number as JSON can say it: neither infinite nor NaN."""

    name = "number"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number = _number(str(value))
        return self.fail("must be a number", param, ctx) if number is None else number


class Label(click.ParamType[tuple[str, str]]):
    """`NAME=TEXT`."""

    name = "name=text"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        name, equals, text = str(value).partition("=")
        return (name, text) if name and equals else self.fail("must be NAME=TEXT", param, ctx)


def _split_number(text: str) -> tuple[str, float | None]:
    head, colon, tail = text.rpartition(":")
    number = _number(tail) if colon else None
    return (text, None) if number is None else (head, number)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if isfinite(number) else None
