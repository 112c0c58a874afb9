"""What the demo model draws: scenes of one or two plain shapes on a plain background."""

import random
import zlib
from dataclasses import dataclass
from typing import Literal

SHAPES = ("circle", "square", "triangle", "star", "diamond", "cross", "ring", "heart")
COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (218, 36, 40),
    "orange": (244, 138, 24),
    "yellow": (250, 216, 44),
    "green": (38, 152, 62),
    "cyan": (40, 202, 214),
    "blue": (36, 78, 218),
    "purple": (132, 48, 188),
    "pink": (250, 140, 186),
    "white": (247, 247, 247),
    "black": (22, 22, 26),
}
#: Half the longer side of a thing's bounding box, as a part of the image's shorter side.
SIZES = {"small": 0.100, "medium": 0.147, "large": 0.215}
#: Centre of a thing that stands alone, as parts of the image's width and height.
POSITIONS = {
    "top left": (0.25, 0.25),
    "top": (0.5, 0.25),
    "top right": (0.75, 0.25),
    "left": (0.25, 0.5),
    "center": (0.5, 0.5),
    "right": (0.75, 0.5),
    "bottom left": (0.25, 0.75),
    "bottom": (0.5, 0.75),
    "bottom right": (0.75, 0.75),
}
#: Centres of the two things of a pair, the first one in reading order first.
ARRANGEMENTS = {
    "side by side": ((0.25, 0.5), (0.75, 0.5)),
    "stacked": ((0.5, 0.25), (0.5, 0.75)),
}
Split = Literal["train", "validation", "test"]


@dataclass(frozen=True)
class Thing:
    """One shape: its named attributes, and the geometry that was drawn for them."""

    shape: str
    colour: str
    size: str
    x: float  # centre, part of the width
    y: float  # centre, part of the height
    radius: float  # half the longer side of the box around it, part of the shorter image side
    angle: float = 0.0  # degrees, counter-clockwise


@dataclass(frozen=True)
class Scene:
    """One picture: a background and one thing, or two in reading order (left or upper first)."""

    background: str
    things: tuple[Thing, ...]
    layout: str  # one of POSITIONS for a single thing, one of ARRANGEMENTS for a pair
    width: int = 128
    height: int = 128


def split_of(shape: str, colour: str, background: str) -> Split:
    """The split that owns this combination: 8 of 10 train, 1 validation, 1 test, by a hash."""
    bucket = zlib.crc32(f"{shape}/{colour}/{background}".encode()) % 10
    return "test" if bucket == 0 else "validation" if bucket == 1 else "train"


def sample_scene(
    rng: random.Random,
    split: Split = "train",
    size: tuple[int, int] = (128, 128),
    pair_share: float = 0.5,
) -> Scene:
    """A random scene of `size` (width, height) whose first or only thing belongs to `split`.

    A training scene holds training combinations only; a held-out scene holds its own split's
    combination once, and a second thing of any split.
    """
    background = rng.choice(list(COLOURS))
    centres: tuple[tuple[float, float], ...]
    if rng.random() < pair_share:
        layout = rng.choice(list(ARRANGEMENTS))
        centres, reach = ARRANGEMENTS[layout], 0.008
    else:
        layout = rng.choice(list(POSITIONS))
        centres, reach = (POSITIONS[layout],), 0.025
    held_out_index = rng.randrange(len(centres))
    things = tuple(
        _sample_thing(rng, background, centre, reach, split if i == held_out_index else None, split)
        for i, centre in enumerate(centres)
    )
    return Scene(background, things, layout, *size)


def _sample_thing(
    rng: random.Random,
    background: str,
    centre: tuple[float, float],
    reach: float,
    owner: Split | None,
    split: Split,
) -> Thing:
    """A thing near `centre`; its combination belongs to `owner` (or to train, when training)."""
    wanted = "train" if split == "train" else owner
    while True:
        shape, colour = rng.choice(SHAPES), rng.choice(list(COLOURS))
        if colour == background:
            continue
        if wanted is None or split_of(shape, colour, background) == wanted:
            break
    size = rng.choice(list(SIZES))
    return Thing(
        shape,
        colour,
        size,
        centre[0] + rng.uniform(-reach, reach),
        centre[1] + rng.uniform(-reach, reach),
        SIZES[size] * rng.uniform(0.975, 1.025),
        rng.uniform(-5, 5),
    )
