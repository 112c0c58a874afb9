"""Measure the companions: a ControlNet's grip, a LoRA's style, the second model's obedience."""

import random
from dataclasses import dataclass

import numpy as np
from PIL import Image

from model.caption import LANGUAGES, Language, phrase
from model.check import check
from model.description import Description
from model.draw import draw
from model.edges import describe_loosely, edge_map, loosen
from model.evaluate import Prompt, Rows, Settings, generate, held_out_prompts, percent, summarize
from model.look import foreground
from model.mini import SIDE, check_icon, describe_icon, sample_icon
from model.parts import Pipeline
from model.scene import Scene, Split, sample_scene
from model.style import Style

HOME = (128, 128)
SEED = 3000
MINI_COLUMNS = ("prompts", "all right", "background", "count", "shape", "colour", "size")


@dataclass(frozen=True)
class Traced:
    """A loosened scene, a prompt that leaves its places and sizes open, and its edges."""

    scene: Scene
    meaning: Description
    text: str
    edges: Image.Image


def traced_scenes(split: Split, count: int, size: tuple[int, int] = HOME) -> list[Traced]:
    """The fixed scenes of one split, English and Chinese by turns."""
    rng = random.Random(f"edges {split} {size}")
    traced = []
    for i in range(count):
        scene = loosen(sample_scene(rng, split, size), rng)
        meaning = describe_loosely(scene, rng)
        text = phrase(meaning, LANGUAGES[i % 2], rng)
        traced.append(Traced(scene, meaning, text, edge_map(draw(scene))))
    return traced


def overlap(image: Image.Image, scene: Scene) -> float:
    """Intersection over union of the things in a picture and in a scene, 0..1."""
    found, true = foreground(image), foreground(draw(scene))
    return float((found & true).sum() / (found | true).sum())


def _has_colours(image: Image.Image, asked: Description) -> bool:
    """Whether number and colours are right; the checker's shapes tilt by 5 degrees at the most."""
    marks = check(image, asked).wrong
    return not {mark.attribute for mark in marks} & {"background", "count", "colour"}


def measure_edges(pipeline: Pipeline, traced: list[Traced], settings: Settings) -> Rows:
    """Mean overlap, and percent of pictures in the right colours, at three scales."""
    rows = {}
    for scale in (1.0, 0.5, 0.0):
        images = generate(
            pipeline, [t.text for t in traced], HOME, settings, SEED,
            [t.edges for t in traced], controlnet_conditioning_scale=scale,
        )  # fmt: skip
        pairs = list(zip(images, traced, strict=True))
        ious = [overlap(image, t.scene) for image, t in pairs]
        rows[f"scale {scale:g}"] = {
            "scenes": len(traced),
            "mean IoU": round(float(np.mean(ious)), 3),
            "IoU over 0.75": percent(iou > 0.75 for iou in ious),
            "colours right": percent(_has_colours(image, t.meaning) for image, t in pairs),
        }
    return rows


def style_prompts(style: Style, split: Split, language: Language, count: int) -> list[Prompt]:
    """Held-out prompts whose plain picture is not of the style."""
    prompts = held_out_prompts(split, language, HOME, 2 * count)
    return [prompt for prompt in prompts if style.shows(prompt.meaning)][:count]


def measure_style(
    pipeline: Pipeline, style: Style, split: Split, count: int, settings: Settings
) -> Rows:
    """Percent recognised and percent followed, with the LoRA (loaded as its name) on and off."""
    rows = {}
    for scale in (1.0, 0.0):
        pipeline.set_adapters([style.name], [scale])
        judge = style.check if scale else check
        for language in LANGUAGES:
            prompts = style_prompts(style, split, language, count)
            images = generate(pipeline, [p.text for p in prompts], HOME, settings, SEED)
            right = [
                judge(image, p.meaning).is_all_right
                for image, p in zip(images, prompts, strict=True)
            ]
            rows[f"scale {scale:g}, {language}"] = {
                "prompts": len(prompts),
                "recognised": percent(style.is_style(image) for image in images),
                "all right": percent(right),
            }
    return rows


def icon_prompts(split: Split, language: Language, count: int) -> list[Prompt]:
    """Fixed prompts for one thing, whose combination belongs to the split."""
    rng = random.Random(f"icons {split} {language}")
    meanings = [describe_icon(sample_icon(rng, split), rng, 0) for _ in range(count)]
    return [Prompt(phrase(meaning, language, rng), meaning) for meaning in meanings]


def measure_mini(pipeline: Pipeline, split: Split, count: int, settings: Settings) -> Rows:
    """Percent of one-thing prompts followed, all in all and by attribute."""
    rows: Rows = {}
    for language in LANGUAGES:
        prompts = icon_prompts(split, language, count)
        images = generate(pipeline, [p.text for p in prompts], (SIDE, SIDE), settings, SEED)
        verdicts = [check_icon(i, p.meaning) for i, p in zip(images, prompts, strict=True)]
        summary = summarize(prompts, verdicts)
        rows[language] = {column: summary[column] for column in MINI_COLUMNS}
    return rows
