"""What the tests of all families must know of one: its tiny model and its stock call."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from myriad.catalog import Defaults, Limits
from myriad.params import GenerationParams
from tests.workers.picture_input import noise_picture, png

PICTURE = noise_picture()
IMAGE, _IMAGE_PNG = png(PICTURE)
INPUTS = {IMAGE: _IMAGE_PNG}

Asked = Mapping[str, Any]

FROM_TEXT: tuple[Asked, ...] = (
    {},
    {"guidance_scale": 1.0},
    {"guidance_scale": 0.0, "prompt": ""},
    {"negative_prompt": "blue"},
    {"num_images": 2, "negative_prompt": "a dog"},
)
FROM_A_PICTURE: tuple[Asked, ...] = (
    {"image": IMAGE, "strength": 0.7},
    {"image": IMAGE, "strength": 1.0, "num_images": 2, "guidance_scale": 1.0},
)
# What may meet in one batch, if the family draws pictures from text.
MIXED_TEXT: tuple[Asked, ...] = (
    {"prompt": "a red cat", "seed": 1},
    {"prompt": "a dog", "seed": 2, "guidance_scale": 3.0, "num_inference_steps": 3},
    {"prompt": "", "seed": 3, "guidance_scale": 0.0, "num_inference_steps": 4},
    {"prompt": "blue", "seed": 4, "negative_prompt": "red"},
    {"prompt": "dog dog", "seed": 5, "num_images": 2},
    {"prompt": "wide", "seed": 6, "width": 48, "height": 16},
    {"prompt": "tall", "seed": 6, "width": 16, "height": 48},
)
MIXED_PICTURES: tuple[Asked, ...] = (
    {"prompt": "a cat", "seed": 7, "image": IMAGE, "strength": 0.6},
    {"prompt": "cats", "seed": 8, "image": IMAGE, "strength": 1.0, "num_images": 2},
)


@dataclass(frozen=True)
class Tiny:
    """`save` builds a tiny pipeline of the real classes and saves it in a folder.

    `call` is how the params are said to the stock pipeline, which is its first
    argument: texts, guidance and whatever else is the family's own; size, steps,
    pictures and generators are the same for all. `kinds` are requests to hold
    against stock, `mixed` requests to run in one batch. `forwards_a_step` is how
    often a step with the default guidance calls the denoiser.
    """

    save: Callable[[Path], Path]
    call: Callable[[Any, GenerationParams], dict[str, Any]]
    defaults: Defaults = field(
        default_factory=lambda: Defaults(width=16, height=32, num_inference_steps=3)
    )
    limits: Limits = field(default_factory=lambda: Limits(min_size=16, size_multiple=16))
    kinds: Sequence[Asked] = FROM_TEXT + FROM_A_PICTURE
    mixed: Sequence[Asked] = MIXED_TEXT + MIXED_PICTURES
    forwards_a_step: int = 1
