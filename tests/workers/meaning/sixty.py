"""Sixty requests, no two alike: sizes, modes, LoRAs, schedulers, languages and models."""

import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle
from typing import Any

from model.caption import LANGUAGES
from model.evaluate import Size, held_out_prompts
from model.measure import HOME, icon_prompts, style_prompts, traced_scenes
from model.mini import check_icon
from model.scene import COLOURS, Scene, sample_scene
from model.style import FRAMED, NIGHT
from tests.workers.meaning.wish import (
    Wish,
    half_redrawn,
    is_framed_night,
    redrawn,
    shows,
    shows_in,
    traced,
)

SIZES: dict[Size, int] = {HOME: 8, (192, 128): 4, (128, 192): 4, (160, 160): 4, (96, 96): 4}
#: A scheduler, and about as many steps as it needs; those of second order look at each twice.
MANNERS = {
    "DPMSolverMultistepScheduler": 10,
    "DDIMScheduler": 16,
    "UniPCMultistepScheduler": 10,
    "EulerDiscreteScheduler": 14,
    "EulerAncestralDiscreteScheduler": 16,
    "HeunDiscreteScheduler": 8,
    "DEISMultistepScheduler": 10,
    "LCMScheduler": 12,
    "KDPM2DiscreteScheduler": 8,
    "DPMSolverSinglestepScheduler": 11,
    "LMSDiscreteScheduler": 14,
    "KDPM2AncestralDiscreteScheduler": 10,
    "PNDMScheduler": 14,
}
GUIDANCE = (3.5, 3.0, 4.0, 2.5)
EVERY_REPRODUCIBLE = 6


def sixty() -> list[Wish]:
    """Always the same ones."""
    wishes = [*_scenes(), *_styled(), *_redrawn(), *_half_redrawn(), *_edged(), *_icons()]
    manners = [_manner(place) for place in range(len(wishes))]
    pairs = zip(wishes, manners, strict=True)
    return [replace(wish, asked={**manner, **wish.asked}) for wish, manner in pairs]


def _manner(place: int) -> dict[str, Any]:
    """How it is drawn; no two requests in the same way."""
    scheduler, steps = list(MANNERS.items())[place % len(MANNERS)]
    return {
        "seed": 100 + place,
        "scheduler": scheduler,
        "num_inference_steps": steps + place % 3,
        "guidance_scale": GUIDANCE[place % len(GUIDANCE)],
        "reproducible": place % EVERY_REPRODUCIBLE == 0,
    }


def _scenes() -> Iterator[Wish]:
    for (width, height), count in SIZES.items():
        for language in LANGUAGES:
            prompts = held_out_prompts("validation", language, (width, height), count // 2)
            for prompt in prompts:
                asked = {"prompt": prompt.text, "width": width, "height": height}
                yield Wish("text-to-image", asked, shows(prompt.meaning))


def _styled() -> Iterator[Wish]:
    """On prompts that nobody else has, and whose plain picture shows neither style."""
    fresh = {
        language: iter(style_prompts(NIGHT, "validation", language, 15)[SIZES[HOME] :])
        for language in LANGUAGES
    }
    for style in (NIGHT, FRAMED):
        for language in ("en", "zh", "en", "zh", "en"):
            prompt = next(fresh[language])
            asked = {"prompt": prompt.text, "loras": [{"name": style.name}]}
            yield Wish(style.name, asked, shows_in(style, prompt.meaning))
    loras = [{"name": style.name} for style in (NIGHT, FRAMED)]
    for language in ("zh", "en", "zh"):
        yield Wish("both", {"prompt": next(fresh[language]).text, "loras": loras}, is_framed_night)


def _redrawn() -> Iterator[Wish]:
    rng = random.Random("redrawn")
    for language, strength in zip(cycle(LANGUAGES), (0.7, 0.7, 0.65, 0.65, 0.6, 0.6), strict=False):
        before = sample_scene(rng, pair_share=0.0)
        yield redrawn(before, _recoloured(before, 0, rng), strength, (language, rng))


def _half_redrawn() -> Iterator[Wish]:
    rng = random.Random("half redrawn")
    for language in (*LANGUAGES, *LANGUAGES):
        before = sample_scene(rng, pair_share=1.0)
        while before.layout != "side by side":
            before = sample_scene(rng, pair_share=1.0)
        yield half_redrawn(before, _recoloured(before, 1, rng), (language, rng))


def _recoloured(scene: Scene, place: int, rng: random.Random) -> Scene:
    """The scene with one of its things in a colour that it does not hold yet."""
    used = {scene.background, *(thing.colour for thing in scene.things)}
    colour = rng.choice([name for name in COLOURS if name not in used])
    things = list(scene.things)
    things[place] = replace(things[place], colour=colour)
    return replace(scene, things=tuple(things))


def _edged() -> Iterator[Wish]:
    yield from map(traced, traced_scenes("validation", 6))


def _icons() -> Iterator[Wish]:
    for language, count in zip(LANGUAGES, (4, 3), strict=True):
        for prompt in icon_prompts("validation", language, count):
            meaning = prompt.meaning
            yield Wish(
                "second model",
                {"prompt": prompt.text},
                lambda image, meaning=meaning: check_icon(image, meaning).is_all_right,  # type: ignore[misc]
                model="myriad-mini",
            )
