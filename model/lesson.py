"""The lessons of a companion: scenes with their latents, and a batch of captions for them."""

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from model.caption import LANGUAGES, phrase, unconditional
from model.denoiser import UNCONDITIONAL_SHARE, Conditioner
from model.description import Description
from model.latents import encode
from model.parts import Vae
from model.scene import Scene

log = logging.getLogger(__name__)
Size = tuple[int, int]
#: (width, height) of the pictures, and how often a batch is of that size.
SIZES: dict[Size, float] = {(128, 128): 0.7, (192, 128): 0.15, (128, 192): 0.15}


@dataclass(frozen=True)
class Lesson:
    """One scene, and what a caption of it may say."""

    scene: Scene
    describe: Callable[[Scene, random.Random], Description]


@dataclass(frozen=True)
class Batch:
    """Scenes of one size, latents (N, 4, h, w) and text states (N, 77, 128)."""

    scenes: list[Scene]
    latents: Tensor
    states: Tensor


class Lessons:
    """Random batches of cached pictures under fresh captions."""

    def __init__(
        self, files: dict[Size, tuple[list[Lesson], Tensor]], conditioner: Conditioner
    ) -> None:
        self._files = files
        self._conditioner = conditioner

    def batch(self, count: int) -> Batch:
        """`count` scenes of one size."""
        rng = self._conditioner.rng
        size = rng.choices(list(self._files), [SIZES.get(s, 1.0) for s in self._files])[0]
        lessons, latents = self._files[size]
        picks = rng.sample(range(len(lessons)), count)
        captions = [self._caption(lessons[i], rng) for i in picks]
        return Batch(
            [lessons[i].scene for i in picks],
            latents[picks].float(),
            self._conditioner.encode(captions),
        )

    def _caption(self, lesson: Lesson, rng: random.Random) -> str:
        if rng.random() < UNCONDITIONAL_SHARE:
            return unconditional(rng)
        return phrase(lesson.describe(lesson.scene, rng), rng.choice(LANGUAGES), rng)


def cached_latents(path: Path, vae: Vae, images: Callable[[], list[Image.Image]]) -> Tensor:
    """The latents that `path` holds; drawn and encoded first where it does not exist."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        torch.save(encode(vae, images()), partial)
        partial.replace(path)
        log.info("cached %s", path.name)
    latents: Tensor = torch.load(path)
    return latents
