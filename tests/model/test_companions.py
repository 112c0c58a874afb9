"""The committed companions: stock diffusers loads them, and they do what their cards say."""

import json

import numpy as np
import pytest

from model import edges, mini
from model.caption import Language
from model.card import EVALUATION, plain_table
from model.check import check
from model.companions import PARTS, load_edges, load_pipeline
from model.evaluate import Settings, generate
from model.export import NAME as BASE
from model.measure import HOME, icon_prompts, overlap, style_prompts, traced_scenes
from model.mini import SIDE, check_icon
from model.parts import Pipeline
from model.style import FRAME, STYLES, Style
from model.train import WEIGHTS

FAST = Settings(num_inference_steps=10)


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return load_pipeline(WEIGHTS / BASE)


def test_things_stand_where_the_edges_are(pipeline: Pipeline) -> None:
    guided = load_edges(pipeline, WEIGHTS / edges.NAME)
    traced = traced_scenes("validation", 6)
    prompts, maps = [t.text for t in traced], [t.edges for t in traced]
    means = {}
    for scale in (1.0, 0.0):
        images = generate(guided, prompts, HOME, FAST, 5, maps, controlnet_conditioning_scale=scale)
        means[scale] = np.mean([overlap(i, t.scene) for i, t in zip(images, traced, strict=True)])
    assert means[1.0] > 0.75
    assert means[0.0] < 0.4


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.title)
def test_a_style_comes_and_goes_with_its_lora(style: Style) -> None:
    styled = load_pipeline(WEIGHTS / BASE)
    styled.load_lora_weights(WEIGHTS / style.name, adapter_name=style.name)
    prompts = style_prompts(style, "validation", "en", 3)
    prompts += style_prompts(style, "validation", "zh", 3)
    texts = [prompt.text for prompt in prompts]
    images = generate(styled, texts, HOME, FAST, 6)
    assert sum(style.is_style(image) for image in images) >= 5
    verdicts = [style.check(i, p.meaning) for i, p in zip(images, prompts, strict=True)]
    assert sum(verdict.is_all_right for verdict in verdicts) >= 4
    styled.set_adapters([style.name], [0.0])
    plain = generate(styled, texts, HOME, FAST, 6)
    assert sum(style.is_style(image) for image in plain) <= 1
    assert sum(check(i, p.meaning).is_all_right for i, p in zip(plain, prompts, strict=True)) >= 4


@pytest.mark.filterwarnings("ignore:Already found a `peft_config` attribute:UserWarning")
def test_both_loras_go_together(pipeline: Pipeline) -> None:
    for style in STYLES:
        pipeline.load_lora_weights(WEIGHTS / style.name, adapter_name=style.name)
    pipeline.set_adapters([style.name for style in STYLES])
    images = generate(pipeline, ["a large yellow star on a blue background"] * 4, HOME, FAST, 7)
    pipeline.unload_lora_weights()
    night, framed = STYLES
    assert sum(framed.is_style(image) for image in images) >= 3
    insides = [image.crop((FRAME, FRAME, 128 - FRAME, 128 - FRAME)) for image in images]
    assert sum(night.is_style(inside) for inside in insides) >= 3


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_second_model_draws_what_a_prompt_asks(language: Language) -> None:
    small = load_pipeline(WEIGHTS / mini.NAME)
    prompts = icon_prompts("validation", language, 10)
    images = generate(small, [p.text for p in prompts], (SIDE, SIDE), FAST, 8)
    verdicts = [check_icon(i, p.meaning) for i, p in zip(images, prompts, strict=True)]
    assert sum(verdict.is_all_right for verdict in verdicts) >= 7


def test_the_companions_are_small() -> None:
    folders = [WEIGHTS / name for name in PARTS]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 12 * 2**20


@pytest.mark.parametrize("name", PARTS)
def test_the_card_shows_the_committed_figures(name: str) -> None:
    folder = WEIGHTS / name
    evaluation = json.loads((folder / EVALUATION).read_text(encoding="utf-8"))
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert plain_table("", evaluation["rows"]) in card
    assert "{{" not in card
    for path in folder.rglob("*config.json"):
        assert "_name_or_path" not in path.read_text(encoding="utf-8"), path
