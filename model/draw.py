"""Render a scene with PIL: anti-aliased polygons on a plain background."""

import math
import random

from PIL import Image, ImageDraw

from model.scene import COLOURS, SHAPES, Scene, Thing

Point = tuple[float, float]
OVERSAMPLING = 4
RING_HOLE = 0.56


def _regular(corners: int, radii: tuple[float, ...] = (1.0,)) -> list[Point]:
    """A polygon with its first corner on top; `radii` take turns from corner to corner."""
    turn = 2 * math.pi / corners
    return [
        (radii[i % len(radii)] * math.sin(i * turn), -radii[i % len(radii)] * math.cos(i * turn))
        for i in range(corners)
    ]


def _heart() -> list[Point]:
    """The classic heart curve, 16 sin^3 t, in 60 corners."""
    ts = [2 * math.pi * i / 60 for i in range(60)]
    return [
        (
            16 * math.sin(t) ** 3,
            -(13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)),
        )
        for t in ts
    ]


def _fit(points: list[Point]) -> list[Point]:
    """Centre the bounding box on 0 and scale its longer side to 2."""
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    cx, cy = (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2
    half = max(max(xs) - min(xs), max(ys) - min(ys)) / 2
    return [((x - cx) / half, (y - cy) / half) for x, y in points]


_ARM = 0.34
_OUTLINES: dict[str, list[Point]] = {
    "circle": _regular(64),
    "ring": _regular(64),
    "square": [(-1, -1), (1, -1), (1, 1), (-1, 1)],
    "triangle": _regular(3),
    "star": _regular(10, (1.0, 0.42)),
    "diamond": [(0, -1), (0.74, 0), (0, 1), (-0.74, 0)],
    "cross": [
        (-_ARM, -1), (_ARM, -1), (_ARM, -_ARM), (1, -_ARM), (1, _ARM), (_ARM, _ARM),
        (_ARM, 1), (-_ARM, 1), (-_ARM, _ARM), (-1, _ARM), (-1, -_ARM), (-_ARM, -_ARM),
    ],
    "heart": _heart(),
}  # fmt: skip
OUTLINES = {shape: _fit(_OUTLINES[shape]) for shape in SHAPES}


def outline(thing: Thing, width: int, height: int, scale: float = 1.0) -> list[Point]:
    """The thing's corners in pixels of a `width` x `height` canvas; `scale` shrinks it."""
    radius = thing.radius * min(width, height) * scale
    cos, sin = math.cos(math.radians(thing.angle)), math.sin(math.radians(thing.angle))
    cx, cy = thing.x * width, thing.y * height
    return [
        (cx + radius * (x * cos + y * sin), cy + radius * (y * cos - x * sin))
        for x, y in OUTLINES[thing.shape]
    ]


def draw(scene: Scene, rng: random.Random | None = None) -> Image.Image:
    """The scene as an RGB image; with `rng`, every colour is shifted by up to 5 of 255 levels."""

    def paint(colour: str) -> tuple[int, int, int]:
        r, g, b = (
            max(0, min(255, level + (rng.randint(-5, 5) if rng else 0)))
            for level in COLOURS[colour]
        )
        return r, g, b

    width, height = scene.width * OVERSAMPLING, scene.height * OVERSAMPLING
    ground = paint(scene.background)
    canvas = Image.new("RGB", (width, height), ground)
    pen = ImageDraw.Draw(canvas)
    for thing in scene.things:
        pen.polygon(outline(thing, width, height), fill=paint(thing.colour))
        if thing.shape == "ring":
            pen.polygon(outline(thing, width, height, RING_HOLE), fill=ground)
    return canvas.reduce(OVERSAMPLING)
