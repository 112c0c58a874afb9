"""Which picture sizes the form offers for a model."""

import re
from dataclasses import dataclass
from math import sqrt

from myriad.model import Limits, Model

OWN_SIZE = "own"
"""In the form: as large as the picture to start from."""

_TEXT = re.compile(r"(\d{1,5})x(\d{1,5})", re.ASCII)
_RATIOS = ((1, 1), (4, 3), (3, 4), (16, 9), (9, 16))


@dataclass(frozen=True)
class Size:
    """Width and height in pixels, in steps the model takes."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


def read_size(text: str) -> Size | None:
    """The size written as `WIDTHxHEIGHT`, or None."""
    match = _TEXT.fullmatch(text)
    return Size(int(match[1]), int(match[2])) if match else None


def offered_sizes(model: Model) -> list[Size]:
    """The model's own default, then common ratios of about the same area; each one valid."""
    default = Size(model.defaults.width, model.defaults.height)
    area = default.width * default.height
    near = (_fit(area, wide / high, model.limits) for wide, high in _RATIOS)
    return list(dict.fromkeys([default, *(size for size in near if size)]))


def _fit(area: int, ratio: float, limits: Limits) -> Size | None:
    width = _snap(sqrt(area * ratio), limits)
    height = _snap(sqrt(area / ratio), limits)
    return Size(width, height) if width * height <= limits.max_pixels else None


def _snap(pixels: float, limits: Limits) -> int:
    step = limits.size_multiple
    least = -(-limits.min_size // step) * step
    most = limits.max_size // step * step
    return max(least, min(most, round(pixels / step) * step))
