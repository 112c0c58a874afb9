"""The committed weights: stock diffusers loads them, they follow prompts, the card is honest."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from model.card import EVALUATION, figures_table
from model.check import looks_like
from model.evaluate import Settings, generate
from model.export import NAME
from model.parts import Pipeline, diffusers
from model.train import WEIGHTS

FOLDER = WEIGHTS / NAME
#: Prompt and the attributes its picture must show.
PROMPTS: dict[str, dict[str, str]] = {
    "a large red circle on a white background": {
        "shape": "circle", "colour": "red", "background": "white"},
    "a yellow star in the center, blue background": {
        "shape": "star", "colour": "yellow", "background": "blue"},
    "白色背景上的一个大的绿色正方形": {
        "shape": "square", "colour": "green", "background": "white"},
    "黑色背景，一个粉色的心形": {
        "shape": "heart", "colour": "pink", "background": "black"},
}  # fmt: skip


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    loaded = diffusers.StableDiffusionPipeline.from_pretrained(FOLDER)
    loaded.set_progress_bar_config(disable=True)
    return loaded


def test_pictures_follow_fixed_prompts(pipeline: Pipeline) -> None:
    images = generate(pipeline, list(PROMPTS), (128, 128), Settings(num_inference_steps=10), 7)
    for image, (prompt, asked) in zip(images, PROMPTS.items(), strict=True):
        assert looks_like(image, **asked), prompt


def test_every_part_loads_in_32_bits(pipeline: Pipeline) -> None:
    for part in (pipeline.unet, pipeline.vae, pipeline.text_encoder):
        assert part.dtype == torch.float32


def test_image_to_image_keeps_the_colours(pipeline: Pipeline) -> None:
    to_image = diffusers.StableDiffusionImg2ImgPipeline.from_pipe(pipeline)
    to_image.set_progress_bar_config(disable=True)
    start = Image.new("RGB", (128, 128), "white")
    prompt = "a big blue square on a white background"
    image = to_image(prompt, image=start, strength=0.9, num_inference_steps=10).images[0]
    assert image.size == (128, 128)


def test_inpainting_leaves_the_rest_alone(pipeline: Pipeline) -> None:
    inpaint = diffusers.StableDiffusionInpaintPipeline.from_pipe(pipeline)
    inpaint.set_progress_bar_config(disable=True)
    start, mask = Image.new("RGB", (128, 128), "white"), Image.new("L", (128, 128), 0)
    mask.paste(255, (64, 0, 128, 128))
    image = inpaint(
        "a red circle on the right, white background",
        image=start, mask_image=mask, width=128, height=128, num_inference_steps=6,
    ).images[0]  # fmt: skip
    assert np.asarray(image)[8:120, 8:48].min() > 200


def test_the_folder_is_standard_and_small() -> None:
    index = json.loads((FOLDER / "model_index.json").read_text(encoding="utf-8"))
    assert index["_class_name"] == "StableDiffusionPipeline"
    assert index["safety_checker"] == [None, None]
    assert index["requires_safety_checker"] is False
    assert index["scheduler"] == ["diffusers", "DPMSolverMultistepScheduler"]
    for name in ("vocab.json", "merges.txt"):
        assert (FOLDER / "tokenizer" / name).exists()
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < 12e6


def test_no_config_names_a_place_on_a_machine() -> None:
    for path in FOLDER.rglob("*.json"):
        if path.name not in ("vocab.json", "tokenizer.json"):
            assert "_name_or_path" not in path.read_text(encoding="utf-8"), path


def test_the_card_shows_the_committed_figures() -> None:
    evaluation = json.loads((FOLDER / EVALUATION).read_text(encoding="utf-8"))
    card = Path(FOLDER / "README.md").read_text(encoding="utf-8")
    assert figures_table(evaluation["rows"]) in card
    for language in ("en", "zh"):
        row = evaluation["rows"][f"128x128 {language}"]
        assert row["prompts"] >= 300
        assert row["all right"] >= 80
