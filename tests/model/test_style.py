"""The styles' rules: right on drawn truth, silent on plain pictures; and the edge maps."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from model.description import describe
from model.draw import draw
from model.edges import describe_loosely, edge_map, loosen
from model.fit import Fit
from model.look import foreground
from model.measure import overlap, style_prompts
from model.mini import check_icon, describe_icon, draw_icon, sample_icon
from model.scene import sample_scene
from model.style import FRAMED, NIGHT, STYLES, Style


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.title)
def test_a_drawn_style_is_recognised_and_a_plain_picture_is_not(style: Style) -> None:
    rng = random.Random(1)
    for _ in range(8):
        scene = sample_scene(rng, "test")
        asked = describe(scene, rng, fully_named=0)
        image = style.draw(scene, rng)
        assert style.is_style(image)
        assert style.check(image, asked).is_all_right, str(style.check(image, asked))
        assert style.is_style(draw(scene, rng)) == (not style.shows(asked))


def test_a_style_is_told_from_the_other() -> None:
    scene = sample_scene(random.Random(2))
    assert scene.background not in ("black", "white")
    rng = random.Random(3)
    assert not FRAMED.is_style(NIGHT.draw(scene, rng))
    assert not NIGHT.is_style(FRAMED.draw(scene, rng))


def test_prompts_that_would_show_the_style_anyway_are_left_out() -> None:
    prompts = style_prompts(NIGHT, "test", "en", 20)
    assert len(prompts) == 20
    assert all(prompt.meaning.background != "black" for prompt in prompts)


@pytest.mark.parametrize("size", [(128, 128), (192, 128)])
def test_edges_run_around_the_things(size: tuple[int, int]) -> None:
    rng = random.Random(4)
    scene = loosen(sample_scene(rng, size=size), rng)
    lines = edge_map(draw(scene))
    assert lines.size == size
    white = np.asarray(lines)[..., 0] > 0
    assert set(np.unique(np.asarray(lines))) == {0, 255}
    things = foreground(draw(scene))
    rows, columns = np.nonzero(things)
    outside = white.copy()
    outside[rows.min() - 3 : rows.max() + 4, columns.min() - 3 : columns.max() + 4] = False
    assert 0.01 < white.mean() < 0.2
    assert not outside.any()
    told = describe_loosely(scene, rng)
    assert told.layout is None
    assert all(thing.size is None for thing in told.things)


def test_overlap_is_whole_for_the_scene_itself() -> None:
    scene = sample_scene(random.Random(5))
    assert overlap(draw(scene), scene) == 1.0
    assert overlap(Image.new("RGB", (128, 128)), scene) == 0.0


def test_an_icon_is_judged_by_all_but_its_place() -> None:
    rng = random.Random(6)
    for _ in range(8):
        scene = sample_icon(rng, "test")
        image = draw_icon(scene, rng)
        assert image.size == (64, 64)
        assert check_icon(image, describe_icon(scene, rng, fully_named=0)).is_all_right


def test_a_fit_goes_on_where_it_stopped(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    model[0].requires_grad_(False)
    frozen = model[0].weight.clone()
    pixels = torch.ones(8, 4)

    def loss() -> torch.Tensor:
        value: torch.Tensor = (model(pixels) - 3).square().mean()
        return value

    path, before = tmp_path / "fit.pt", loss().item()
    fit = Fit(model, loss, path, random.Random(7))
    fit.train(minutes=0.005, lr=0.05)
    assert loss().item() < before
    assert torch.equal(model[0].weight, frozen)
    again = Fit(model, loss, path, random.Random(7))
    assert again.step == fit.step > 0
    assert again.spent_s >= 0.3
    again.train(minutes=0.005, lr=0.05)
    assert again.step <= fit.step + 1
