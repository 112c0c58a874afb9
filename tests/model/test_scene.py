"""Scenes: what they may hold, and that held-out combinations stay out of training."""

import random

import pytest

from model.scene import COLOURS, SHAPES, Split, sample_scene, split_of


def test_splits_are_about_eight_one_one() -> None:
    owners = [split_of(s, c, b) for s in SHAPES for c in COLOURS for b in COLOURS if b != c]
    assert 0.7 < owners.count("train") / len(owners) < 0.9
    assert 0.05 < owners.count("test") / len(owners) < 0.15


def test_training_scenes_hold_no_held_out_combination() -> None:
    rng = random.Random(1)
    for _ in range(500):
        scene = sample_scene(rng)
        for thing in scene.things:
            assert split_of(thing.shape, thing.colour, scene.background) == "train"


@pytest.mark.parametrize("split", ["validation", "test"])
def test_held_out_scenes_hold_their_own_combination(split: Split) -> None:
    rng = random.Random(2)
    for _ in range(200):
        scene = sample_scene(rng, split)
        owners = [split_of(t.shape, t.colour, scene.background) for t in scene.things]
        assert split in owners


def test_things_fit_into_the_picture_and_keep_apart() -> None:
    rng = random.Random(3)
    for _ in range(500):
        things = sample_scene(rng).things
        for thing in things:
            assert thing.x - thing.radius >= 0
            assert thing.y + thing.radius <= 1
        if len(things) == 2:
            gap = max(abs(things[0].x - things[1].x), abs(things[0].y - things[1].y))
            assert gap > things[0].radius + things[1].radius
