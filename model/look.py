"""See what is in a picture, by rules: background, and each thing's shape, colour, size and place.

Needs numpy and PIL only. On rendered scenes it is right practically always, so that what it finds
wrong with a generated picture is the picture's fault.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.draw import draw
from model.scene import COLOURS, SHAPES, SIZES, Scene, Thing

Floats = NDArray[np.float32]
#: A pixel this far (of 441) from the background belongs to a thing.
FOREGROUND_DISTANCE = 40.0
#: Specks below this part of the picture are ignored.
SPECK_AREA = 0.0018
#: Below this overlap with every template a thing has no known shape.
LEAST_OVERLAP = 0.62
GRID = 40
UNKNOWN = "unknown"
_NAMES = tuple(COLOURS)
_PALETTE = np.array(list(COLOURS.values()), np.float32)


@dataclass(frozen=True)
class SeenThing:
    """One thing found: names, and centre and radius in a scene's own units."""

    shape: str
    colour: str
    size: str
    x: float
    y: float
    radius: float


@dataclass(frozen=True)
class Sight:
    """Everything found in a picture; things from left to right."""

    background: str
    things: tuple[SeenThing, ...]


def look(image: Image.Image) -> Sight:
    """Find the background and the things of a picture of any size."""
    pixels = np.asarray(image.convert("RGB"), np.float32)
    ground = _ground(pixels)
    labels = label_regions(_differs(pixels, ground))
    things = []
    for label in np.unique(labels[labels > 0]):
        region = labels == label
        if region.mean() >= SPECK_AREA:
            things.append(_see_thing(pixels, ground, region))
    return Sight(nearest_colour(ground), tuple(sorted(things, key=lambda thing: thing.x)))


def foreground(image: Image.Image) -> NDArray[np.bool_]:
    """Where the things are: a mask of shape (height, width)."""
    pixels = np.asarray(image.convert("RGB"), np.float32)
    return _differs(pixels, _ground(pixels))


def _ground(pixels: Floats) -> Floats:
    """The background's colour: the median of the outermost two pixels."""
    rim = np.concatenate(
        [pixels[:2].reshape(-1, 3), pixels[-2:].reshape(-1, 3),
         pixels[:, :2].reshape(-1, 3), pixels[:, -2:].reshape(-1, 3)]
    )  # fmt: skip
    ground: Floats = np.median(rim, axis=0).astype(np.float32)
    return ground


def _differs(pixels: Floats, ground: Floats) -> NDArray[np.bool_]:
    mask: NDArray[np.bool_] = np.linalg.norm(pixels - ground, axis=-1) > FOREGROUND_DISTANCE
    return mask


def nearest_colour(level: Floats) -> str:
    """The palette's name for an RGB value."""
    return _NAMES[int(np.linalg.norm(_PALETTE - level, axis=1).argmin())]


def label_regions(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Number the 8-connected regions of `mask`; 0 outside of it."""
    labels = np.where(mask, np.arange(1, mask.size + 1).reshape(mask.shape), 0)
    while True:
        rows = np.pad(labels, ((1, 1), (0, 0)))
        tall = np.maximum(np.maximum(rows[:-2], rows[2:]), labels)
        columns = np.pad(tall, ((0, 0), (1, 1)))
        wide = np.maximum(np.maximum(columns[:, :-2], columns[:, 2:]), tall)
        grown = np.where(mask, wide, 0)
        if np.array_equal(grown, labels):
            return labels
        labels = grown


def _see_thing(pixels: Floats, ground: Floats, region: NDArray[np.bool_]) -> SeenThing:
    """Measure one region: its colour first, then how much of each pixel that colour covers."""
    distance = np.linalg.norm(pixels - ground, axis=-1) * region
    core = distance >= 0.85 * np.quantile(distance[region], 0.9)
    colour = np.median(pixels[core], axis=0)
    span = colour - ground
    covered = np.clip((pixels - ground) @ span / (span @ span), 0, 1) * region
    rows, columns = np.nonzero(covered > 0.5)
    top, bottom, left, right = rows.min(), rows.max() + 1, columns.min(), columns.max() + 1
    height, width = region.shape
    radius = max(bottom - top, right - left) / 2
    part = radius / min(width, height)
    return SeenThing(
        shape=name_shape(covered[top:bottom, left:right]),
        colour=nearest_colour(colour),
        size=min(SIZES, key=lambda size: abs(np.log(SIZES[size] / part))),
        x=(left + right) / 2 / width,
        y=(top + bottom) / 2 / height,
        radius=part,
    )


def name_shape(cover: Floats) -> str:
    """The shape whose template overlaps best with a cropped coverage map (values 0..1)."""
    grid = _on_grid(cover)
    overlaps = {
        name: max(np.minimum(grid, t).sum() / np.maximum(grid, t).sum() for t in _templates(name))
        for name in SHAPES
    }
    best = max(overlaps, key=lambda name: overlaps[name])
    return best if overlaps[best] >= LEAST_OVERLAP else UNKNOWN


def _on_grid(cover: Floats) -> Floats:
    """Centre a coverage map in a square and scale that to GRID x GRID."""
    height, width = cover.shape
    side = max(height, width)
    square = np.zeros((side, side), np.float32)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = cover
    image = Image.fromarray(square, "F")
    return np.asarray(image.resize((GRID, GRID), Image.Resampling.BILINEAR), np.float32)


@cache
def _templates(shape: str) -> tuple[Floats, ...]:
    """The shape's coverage maps at two radii and three angles."""
    templates = []
    for radius in (0.1, 0.2):
        for angle in (-5.0, 0.0, 5.0):
            thing = Thing(shape, "white", "large", 0.5, 0.5, radius, angle)
            pixels = np.asarray(draw(Scene("black", (thing,), "center")), np.float32)[..., 0]
            cover = (pixels - pixels.min()) / (pixels.max() - pixels.min())
            rows, columns = np.nonzero(cover > 0.5)
            crop = cover[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
            templates.append(_on_grid(crop))
    return tuple(templates)
