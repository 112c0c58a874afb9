"""Measure how often the pipeline draws what a held-out prompt asks for, by the rule-based checker.

Every prompt names in full a shape, colour and background that never met in training. `validation`
prompts serve tuning; `test` prompts serve the model card only.
"""

import json
import random
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from model.caption import LANGUAGES, Language, phrase
from model.check import ATTRIBUTES, Verdict, check
from model.description import Description, describe
from model.parts import Pipeline
from model.scene import Split, sample_scene, split_of

Size = tuple[int, int]
Rows = dict[str, dict[str, Any]]
BATCH = 25


@dataclass(frozen=True)
class Settings:
    """How the pictures are made; the defaults are the model's own."""

    num_inference_steps: int = 20
    guidance_scale: float = 3.5


@dataclass(frozen=True)
class Prompt:
    """One prompt and what it asks for."""

    text: str
    meaning: Description


def held_out_prompts(split: Split, language: Language, size: Size, count: int) -> list[Prompt]:
    """The fixed prompts of one split, language and size; half of them ask for two things."""
    rng = random.Random(f"{split} {language} {size}")
    prompts = []
    for _ in range(count):
        scene = sample_scene(rng, split, size)
        held_out = [
            i
            for i, thing in enumerate(scene.things)
            if split_of(thing.shape, thing.colour, scene.background) == split
        ]
        meaning = describe(scene, rng, fully_named=held_out[0])
        prompts.append(Prompt(phrase(meaning, language, rng), meaning))
    return prompts


def generate(
    pipeline: Pipeline,
    prompts: list[str],
    size: Size,
    settings: Settings,
    seed: int,
    conditions: list[Image.Image] | None = None,
    **options: float,
) -> list[Image.Image]:
    """One picture a prompt; prompt i starts from noise seeded with `seed + i`.

    `conditions` are a ControlNet's pictures, one a prompt; `options` go to the pipeline as given.
    """
    images: list[Image.Image] = []
    for start in range(0, len(prompts), BATCH):
        part = prompts[start : start + BATCH]
        guides = {"image": conditions[start : start + BATCH]} if conditions else {}
        generators = [torch.Generator().manual_seed(seed + start + i) for i in range(len(part))]
        result = pipeline(
            part,
            width=size[0],
            height=size[1],
            num_inference_steps=settings.num_inference_steps,
            guidance_scale=settings.guidance_scale,
            generator=generators,
            **guides,
            **options,
        )
        images += result.images
    return images


def judge(
    pipeline: Pipeline, prompts: list[Prompt], size: Size, settings: Settings
) -> list[Verdict]:
    """Draw every prompt once and check it."""
    images = generate(pipeline, [prompt.text for prompt in prompts], size, settings, seed=1000)
    return [check(image, p.meaning) for image, p in zip(images, prompts, strict=True)]


def summarize(prompts: list[Prompt], verdicts: list[Verdict]) -> dict[str, Any]:
    """Accuracy in percent: of all prompts, of those with one and with two things, by attribute."""
    marks: dict[str, list[bool]] = defaultdict(list)
    for verdict in verdicts:
        for mark in verdict.marks:
            marks[mark.attribute].append(mark.is_right)
    things = [len(prompt.meaning.things) for prompt in prompts]
    right = [verdict.is_all_right for verdict in verdicts]
    return {
        "prompts": len(prompts),
        "all right": percent(right),
        "one thing": percent(r for r, n in zip(right, things, strict=True) if n == 1),
        "two things": percent(r for r, n in zip(right, things, strict=True) if n == 2),
        **{attribute: percent(marks[attribute]) for attribute in ATTRIBUTES},
    }


def percent(values: Iterable[bool]) -> float:
    """The share of true values in percent, to one decimal."""
    listed = list(values)
    return round(100 * sum(listed) / max(1, len(listed)), 1)


def evaluate(
    pipeline: Pipeline,
    split: Split,
    sizes: dict[Size, int],
    settings: Settings,
    languages: tuple[Language, ...] = LANGUAGES,
) -> Rows:
    """The summary of every size and language, keyed "128x128 en"; `sizes` maps to prompt counts."""
    rows = {}
    for size, count in sizes.items():
        for language in languages:
            prompts = held_out_prompts(split, language, size, count)
            verdicts = judge(pipeline, prompts, size, settings)
            rows[f"{size[0]}x{size[1]} {language}"] = summarize(prompts, verdicts)
    return rows


def write_evaluation(rows: Rows, settings: Settings, path: Path) -> None:
    """Save the figures, and the settings they were measured with, as JSON."""
    content = {"settings": vars(settings), "rows": rows}
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
