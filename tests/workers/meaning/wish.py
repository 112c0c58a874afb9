"""A request with a judge: what is asked of a model, and whether a picture shows it."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from model.caption import Language, phrase
from model.check import check
from model.description import Description, describe_fully
from model.draw import draw
from model.measure import Traced, overlap
from model.scene import Scene
from model.style import FRAME, FRAMED, NIGHT, Style
from tests.workers.picture_input import half_mask, png

Judge = Callable[[Image.Image], bool]
Words = tuple[Language, random.Random]
#: Mean difference in levels of 255 that the autoencoder alone makes on what is to be kept.
KEPT_LEVELS = 6.0
LEAST_OVERLAP = 0.75


@dataclass(frozen=True)
class Wish:
    """Fields of a request for `model`, the PNGs it names by digest, and who judges."""

    kind: str
    asked: Mapping[str, Any]
    judge: Judge
    inputs: Mapping[str, bytes] = field(default_factory=dict)
    model: str = "myriad-shapes"


def shows(meaning: Description) -> Judge:
    """Whether all that was asked for is there."""
    return lambda image: check(image, meaning).is_all_right


def shows_in(style: Style, meaning: Description) -> Judge:
    """The same, and the LoRA's style with it."""
    return lambda image: style.is_style(image) and style.check(image, meaning).is_all_right


def is_framed_night(image: Image.Image) -> bool:
    """Both LoRAs' styles, one within the other."""
    inside = (FRAME, FRAME, image.width - FRAME, image.height - FRAME)
    return FRAMED.is_style(image) and NIGHT.is_style(image.crop(inside))


def redrawn(before: Scene, after: Scene, strength: float, words: Words) -> Wish:
    """Image-to-image: `after` is told, but for the places, which only the picture can tell."""
    digest, data = png(draw(before))
    told = Description(describe_fully(after).things, after.background)
    asked = {"prompt": phrase(told, *words), "image": digest, "strength": strength}
    return Wish("image-to-image", asked, shows(describe_fully(after)), {digest: data})


def half_redrawn(before: Scene, after: Scene, words: Words) -> Wish:
    """Inpainting: the right half becomes that of `after`, the left one stays as it is."""
    picture = draw(before)
    (image, image_png), (mask, mask_png) = png(picture), png(half_mask(*picture.size))
    asked = {"prompt": phrase(describe_fully(after), *words), "image": image, "mask": mask}
    kept = np.asarray(picture, np.float32)[:, : picture.width // 2 - 8]

    def judge(drawn: Image.Image) -> bool:
        left = np.asarray(drawn.convert("RGB"), np.float32)[:, : kept.shape[1]]
        is_kept = np.abs(left - kept).mean() < KEPT_LEVELS
        return bool(is_kept) and shows(describe_fully(after))(drawn)

    return Wish("inpainting", asked, judge, {image: image_png, mask: mask_png})


def traced(scene: Traced) -> Wish:
    """ControlNet: the things stand where the edges are."""
    digest, data = png(scene.edges)
    net = {"model": "shapes-edges", "image": digest}
    return Wish(
        "edges",
        {"prompt": scene.text, "controlnets": [net]},
        lambda image: overlap(image, scene.scene) > LEAST_OVERLAP,
        {digest: data},
    )
