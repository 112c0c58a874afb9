"""The rule-based checker: right on rendered truth, and not fooled by anything else."""

import random
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageFilter

from model.check import check, looks_like
from model.description import DescribedThing, Description, describe_fully
from model.draw import draw
from model.scene import COLOURS, SHAPES, SIZES, Scene, sample_scene

PICTURE_SIZES = [(128, 128), (192, 128), (128, 192), (160, 160), (96, 96)]


@pytest.mark.parametrize("size", PICTURE_SIZES)
def test_rendered_truth_is_all_right(size: tuple[int, int]) -> None:
    rng = random.Random(1)
    for _ in range(10):
        scene = sample_scene(rng, size=size)
        verdict = check(draw(scene, rng), scene)
        assert verdict.is_all_right, str(verdict)


def test_a_little_blur_and_noise_do_no_harm() -> None:
    rng = random.Random(2)
    noise = np.random.default_rng(2)
    for _ in range(10):
        scene = sample_scene(rng)
        image = draw(scene, rng).filter(ImageFilter.GaussianBlur(0.7))
        pixels = np.asarray(image, np.float32) + noise.normal(0, 5, (128, 128, 3))
        noisy = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
        assert check(noisy, scene).is_all_right


def _other(rng: random.Random, values: list[str], *taken: str) -> str:
    return rng.choice([value for value in values if value not in taken])


@pytest.mark.parametrize("attribute", ["shape", "colour", "size", "background", "layout"])
def test_one_wrong_attribute_is_told(attribute: str) -> None:
    rng = random.Random(3)
    for _ in range(8):
        scene = sample_scene(rng)
        truth = describe_fully(scene)
        first = truth.things[0]
        wrong = {
            "shape": replace(first, shape=_other(rng, list(SHAPES), scene.things[0].shape)),
            "colour": replace(first, colour=_other(rng, list(COLOURS), scene.things[0].colour)),
            "size": replace(first, size=_other(rng, list(SIZES), scene.things[0].size)),
        }
        layouts = {"side by side": "stacked", "stacked": "side by side", "top": "bottom"}
        asked = replace(truth, things=(wrong.get(attribute, first), *truth.things[1:]))
        if attribute == "background":
            asked = replace(truth, background=_other(rng, list(COLOURS), scene.background))
        elif attribute == "layout":
            asked = replace(truth, layout=layouts.get(scene.layout, "top"))
        assert attribute in {mark.attribute for mark in check(draw(scene), asked).wrong}


def test_a_missing_and_an_extra_thing_are_told() -> None:
    rng = random.Random(4)
    pair = sample_scene(rng, pair_share=1.0)
    lone = replace(pair, things=pair.things[:1])
    assert {m.attribute for m in check(draw(lone), pair).wrong} >= {"count", "shape", "colour"}
    asked = Description((DescribedThing(),))
    assert [m.attribute for m in check(draw(pair), asked).wrong] == ["count"]


def test_swapped_things_are_wrong_unless_the_arrangement_is_open() -> None:
    thing = sample_scene(random.Random(5), pair_share=0.0).things[0]
    red = replace(thing, shape="circle", colour="red", x=0.25, y=0.5, radius=0.15)
    blue = replace(red, shape="star", colour="blue", x=0.75)
    scene = Scene("white", (red, blue), "side by side")
    swapped = replace(scene, things=(replace(red, x=0.75), replace(blue, x=0.25)))
    assert not check(draw(swapped), scene).is_all_right
    assert check(draw(swapped), replace(describe_fully(scene), layout=None, things=(
        DescribedThing("circle", "red"), DescribedThing("star", "blue")))).is_all_right  # fmt: skip


def test_looks_like_reads_a_few_attributes() -> None:
    scene = sample_scene(random.Random(6), pair_share=0.0)
    thing = scene.things[0]
    image = draw(scene)
    assert looks_like(image, shape=thing.shape, colour=thing.colour, background=scene.background)
    assert looks_like(image, size=thing.size, position=scene.layout)
    assert not looks_like(image, colour=scene.background)
    assert not looks_like(Image.new("RGB", (128, 128), "white"), shape="circle")


def test_noise_has_nothing_right() -> None:
    pixels = np.random.default_rng(7).integers(0, 256, (128, 128, 3), dtype=np.uint8)
    assert not looks_like(Image.fromarray(pixels), shape="circle")
