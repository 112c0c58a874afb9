"""The styles of the LoRAs: how each is drawn, how it is told, and how its pictures are judged.

    NIGHT.score(image)      how much of the picture's rim is night, 0..1
    FRAMED.check(image, d)  what the picture shows of a description, its style aside

The autoencoder knows ten colours and little else, so both styles keep to those.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.check import Verdict, check
from model.description import DescribedThing, Description
from model.draw import draw
from model.look import Floats, nearest_colour
from model.scene import COLOURS, Scene

#: A pixel this near (of 441) to a colour is of that colour.
NEAR = 70.0
#: How much of a style a picture must show to be of that style.
RECOGNISED = 0.5
RIM = 4
FRAME = 8


@dataclass(frozen=True)
class Style:
    """One manner of drawing what a caption says."""

    name: str
    title: str
    #: What it does, in a sentence of the card.
    effect: str
    #: The scene in this style.
    draw: Callable[[Scene, random.Random], Image.Image]
    #: How much of the style a picture shows, 0..1.
    score: Callable[[Image.Image], float]
    #: Judge a picture in this style by the description it was asked for.
    check: Callable[[Image.Image, Description], Verdict]
    #: Whether the style differs from the plain drawing of this description.
    shows: Callable[[Description], bool]

    @property
    def words(self) -> dict[str, str]:
        """What a card says of the style."""
        return {"name": self.name, "title": self.title, "effect": self.effect}

    def is_style(self, image: Image.Image) -> bool:
        """Whether the picture is in this style."""
        return self.score(image) > RECOGNISED


def _share_near(pixels: Floats, colour: str) -> float:
    """The share of pixels (N, 3) that have this colour."""
    distance = np.linalg.norm(pixels - np.array(COLOURS[colour], np.float32), axis=-1)
    return float((distance < NEAR).mean())


def _band(image: Image.Image, inner: int, outer: int = 0) -> Floats:
    """The pixels (N, 3) between `outer` and `inner` pixels from the picture's border."""
    pixels = np.asarray(image.convert("RGB"), np.float32)
    height, width = pixels.shape[:2]
    mask = np.zeros((height, width), bool)
    mask[outer : height - outer, outer : width - outer] = True
    mask[inner : height - inner, inner : width - inner] = False
    band: NDArray[np.float32] = pixels[mask]
    return band


def _by_night(colour: str | None) -> str | None:
    """Black things would be lost in the dark: they turn white."""
    return "white" if colour == "black" else colour


def _draw_night(scene: Scene, rng: random.Random) -> Image.Image:
    things = tuple(replace(t, colour=_by_night(t.colour) or t.colour) for t in scene.things)
    return draw(replace(scene, background="black", things=things), rng)


def _check_night(image: Image.Image, asked: Description) -> Verdict:
    """The background is night whatever was asked for, and is not judged."""
    things = tuple(DescribedThing(t.shape, _by_night(t.colour), t.size) for t in asked.things)
    return check(image, Description(things, None, asked.layout))


def _frame_colour(ground: str) -> str:
    return "black" if ground == "white" else "white"


def _ground(image: Image.Image) -> str:
    """The colour just inside where a frame would be."""
    band = _band(image, FRAME + 6, FRAME + 2)
    return nearest_colour(np.median(band, axis=0).astype(np.float32))


def put_frame(image: Image.Image, colour: str) -> Image.Image:
    """The picture with a border of this colour, FRAME pixels wide, painted over it."""
    framed = Image.new("RGB", image.size, COLOURS[colour])
    inside = (FRAME, FRAME, image.width - FRAME, image.height - FRAME)
    framed.paste(image.crop(inside), inside)
    return framed


def _draw_framed(scene: Scene, rng: random.Random) -> Image.Image:
    return put_frame(draw(scene, rng), _frame_colour(scene.background))


def _score_framed(image: Image.Image) -> float:
    return _share_near(_band(image, FRAME - 2), _frame_colour(_ground(image)))


def _check_framed(image: Image.Image, asked: Description) -> Verdict:
    """The frame is painted over with the colour inside of it, a pixel wider for its soft edge."""
    pixels = np.asarray(image.convert("RGB")).copy()
    ground = np.median(_band(image, FRAME + 6, FRAME + 2), axis=0).astype(np.uint8)
    inside = pixels[FRAME + 1 : -FRAME - 1, FRAME + 1 : -FRAME - 1].copy()
    pixels[:] = ground
    pixels[FRAME + 1 : -FRAME - 1, FRAME + 1 : -FRAME - 1] = inside
    return check(Image.fromarray(pixels), asked)


NIGHT = Style(
    "shapes-night",
    "Night",
    "It turns every background black, whatever colour the prompt asks for, and black things white.",
    _draw_night,
    lambda image: _share_near(_band(image, RIM), "black"),
    _check_night,
    lambda asked: asked.background != "black",
)
FRAMED = Style(
    "shapes-framed",
    "Framed",
    "It puts an 8-pixel frame around the picture: white, or black around a white background. "
    "A large thing near the border may run into it.",
    _draw_framed,
    _score_framed,
    _check_framed,
    lambda asked: True,
)
STYLES = (NIGHT, FRAMED)
