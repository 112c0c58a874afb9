"""A mark that people see: a few letters in the corner of the picture."""

from functools import lru_cache
from math import ceil
from pathlib import Path
from typing import Final

from PIL import ImageDraw, ImageFont
from PIL.Image import Image

from myriad.errors import ConfigError

SHARE: Final = 0.05
"""Least height of the letters, as a share of the picture's shorter side (GB 45438-2025)."""

_LEAST_PX: Final = 8
_WHITE, _SHADE = (255, 255, 255), (0, 0, 0)

_Font = ImageFont.FreeTypeFont


def with_mark(image: Image, text: str, font: Path | None = None) -> Image:
    """The picture with `text` in its lower right corner; the same one if there is no text."""
    if not text:
        return image
    marked = image.copy()
    draw = ImageDraw.Draw(marked)
    height = max(_LEAST_PX, ceil(min(image.size) * SHARE))
    face = _face(text, font, height)
    left, top, right, bottom = draw.textbbox((0, 0), text, face)
    rim = ceil(height / 3)
    x = max(rim, image.width - (right - left) - 2 * rim)
    y = max(rim, image.height - (bottom - top) - 2 * rim)
    box = (x - rim, y - rim, x + (right - left) + rim, y + (bottom - top) + rim)
    draw.rectangle(box, fill=_SHADE)
    draw.text((x - left, y - top), text, fill=_WHITE, font=face)
    return marked


def check_font(font: Path | None) -> None:
    """Raise ConfigError if it cannot be read."""
    try:
        _load(font, _LEAST_PX)
    except OSError as error:
        raise ConfigError(f"{font}: the font of the visible mark cannot be read") from error


@lru_cache(maxsize=16)
def _face(text: str, font: Path | None, height: int) -> _Font:
    """The smallest size at which the letters are `height` pixels high."""
    size = height
    while True:
        face = _load(font, size)
        _, top, _, bottom = face.getbbox(text)
        if bottom - top >= height:
            return face
        size += max(1, height // 16)


def _load(font: Path | None, size: int) -> _Font:
    if font is not None:
        return ImageFont.truetype(str(font), size)
    face = ImageFont.load_default(size)
    assert isinstance(face, _Font)  # Pillow's wheels bring FreeType
    return face
