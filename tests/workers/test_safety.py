"""The safety checker, real and tiny: what it flags leaves blank, and says so."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from PIL import Image
from transformers import CLIPConfig, CLIPImageProcessorPil

from myriad.cache_key import fingerprints
from myriad.catalog import Catalog, Model
from myriad.errors import ModelNotLoadable, NonFiniteOutput
from myriad.job import Stage
from myriad.pool import Pool
from myriad.resolve import resolve
from tests.workers.stage import FakeControl, make_lease
from workers.batching.policy import EveryRow
from workers.device import open_device
from workers.runner import Runner
from workers.safety import SafetyChecker, load_safety_checker, safety_bytes

RED, BLUE = (Image.new("RGB", (24, 16), colour) for colour in ("red", "blue"))
SIDE = 32
NEVER = 2.0  # no cosine is larger


def save_checker(folder: Path, threshold: float) -> Path:
    """One that flags what lies nearer to RED than `threshold`, a cosine."""
    torch.manual_seed(0)
    tower = {"hidden_size": 32, "intermediate_size": 37, "num_attention_heads": 4}
    config = CLIPConfig(
        vision_config={**tower, "num_hidden_layers": 2, "image_size": SIDE, "patch_size": 8},
        text_config={**tower, "num_hidden_layers": 1, "bos_token_id": 0, "eos_token_id": 1},
        projection_dim=16,
    )
    checker = StableDiffusionSafetyChecker(config).eval()
    square = {"height": SIDE, "width": SIDE}
    processor = CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size=square)
    pixels = processor([RED], return_tensors="pt").pixel_values
    with torch.no_grad():
        red = checker.visual_projection(checker.vision_model(pixels)[1])
        checker.concept_embeds.copy_(red.expand_as(checker.concept_embeds))
        checker.concept_embeds_weights.fill_(threshold)
        checker.special_care_embeds_weights.fill_(NEVER)
    checker.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def checkers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("checkers")
    thresholds = {"red": 0.98, "all": -NEVER, "none": NEVER}
    return {name: save_checker(root / name, value) for name, value in thresholds.items()}


def model_with(folder: Path, checker: Path | None) -> Model:
    named = {"safety_checker": str(checker)} if checker else {}
    limits = {"min_size": 16}
    values: dict[str, Any] = {"name": "sd", "family": "sd", "source": str(folder), "limits": limits}
    return Model.model_validate({**values, "max_prompt_tokens": 16, **named})


def load(folder: Path) -> SafetyChecker:
    device = open_device(Pool(name="tiny", stages=(Stage.DECODE,)), "")
    return load_safety_checker(model_with(folder, folder), device)


@pytest.fixture(scope="module")
def runners(folders: dict[str, Path], checkers: dict[str, Path]) -> Iterator[dict[str, Runner]]:
    """A whole worker for each checker, and one for the same model without."""
    opened = {}
    for name, checker in {**checkers, "off": None}.items():
        catalog = Catalog([model_with(folders["sd"], checker)])
        pool = Pool(name="tiny", stages=tuple(Stage))
        opened[name] = Runner(catalog, pool, policy=EveryRow())
    yield opened
    for runner in opened.values():
        runner.close()


def draw(runner: Runner, model: Model, control: FakeControl) -> list[Any]:
    params = resolve(
        {"prompt": "cat", "seed": 3, "num_images": 2, "width": 16, "height": 24}, model
    ).model_copy(update={"num_inference_steps": 2})
    lease = make_lease("sd", params)
    blob = runner.denoise(lease, runner.encode(lease, {}, control), control)
    return runner.decode(lease, blob, control)


def test_what_is_flagged_is_blank_and_the_rest_untouched(
    runners: dict[str, Runner], folders: dict[str, Path]
) -> None:
    model = model_with(folders["sd"], None)
    controls = {name: FakeControl(takes_previews=True) for name in runners}
    drawn = {name: draw(runner, model, controls[name]) for name, runner in runners.items()}
    assert [picture.data for picture in drawn["none"]] == [each.data for each in drawn["off"]]
    assert [picture.flagged for picture in drawn["none"]] == [False, False]
    assert [picture.flagged for picture in drawn["all"]] == [True, True]
    for picture in drawn["all"]:
        with Image.open(io.BytesIO(picture.data)) as blank:
            assert blank.size == (16, 24)
            assert not np.asarray(blank).any()
    assert controls["all"].notes == ["safety checker: 2 of 2 left blank"]
    assert controls["none"].notes == []
    # A preview would show what may be taken out.
    assert controls["off"].previews
    assert not controls["none"].previews


def test_it_judges_as_the_stock_pipeline(checkers: dict[str, Path], folders: Any) -> None:
    ours = load(checkers["red"])
    pipe = StableDiffusionPipeline.from_pretrained(
        folders["sd"],
        safety_checker=StableDiffusionSafetyChecker.from_pretrained(checkers["red"]),
        feature_extractor=CLIPImageProcessorPil.from_pretrained(checkers["red"]),
    )
    pictures = np.stack([np.asarray(each, np.float32) / 255 for each in (RED, BLUE)])
    _, flags = pipe.run_safety_checker(pictures, "cpu", torch.float32)
    assert [ours.check([each]).is_flagged for each in (RED, BLUE)] == flags == [True, False]


def test_a_video_is_looked_at_from_end_to_end(checkers: dict[str, Path]) -> None:
    checker = load(checkers["red"])
    clear = [BLUE] * 33
    assert checker.check(clear) == (clear, False)
    for place in (0, 32):
        frames, is_flagged = checker.check([*clear[:place], RED, *clear[place + 1 :]])
        assert is_flagged
        assert len(frames) == 33
        assert not any(np.asarray(frame).any() for frame in frames)
    short = checker.check([BLUE, RED])
    assert short.is_flagged


def test_what_cannot_be_judged_does_not_pass(checkers: dict[str, Path]) -> None:
    checker = load(checkers["none"])
    with torch.no_grad():
        checker.module.visual_projection.weight.fill_(torch.nan)
    with pytest.raises(NonFiniteOutput, match="safety"):
        checker.check([BLUE])


def test_one_inside_a_whole_pipelines_folder_is_found(
    checkers: dict[str, Path], tmp_path: Path
) -> None:
    for part in ("safety_checker", "feature_extractor"):
        (tmp_path / part).symlink_to(checkers["red"])
    assert load(tmp_path).check([RED]).is_flagged


def test_it_is_reckoned_with_before_it_is_loaded(checkers: dict[str, Path]) -> None:
    folder = checkers["red"]
    device = open_device(Pool(name="tiny", stages=(Stage.DECODE,)), "")
    loaded = load(folder).module
    in_all = sum(each.numel() * 4 for each in loaded.parameters())
    assert safety_bytes(model_with(folder, folder), device) == in_all


@pytest.mark.parametrize("spoilt", ["pytorch_model.bin", "evil.py"])
def test_code_is_refused(checkers: dict[str, Path], tmp_path: Path, spoilt: str) -> None:
    for file in checkers["red"].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / spoilt).write_bytes(b"print('mine')")
    with pytest.raises(ModelNotLoadable, match=spoilt):
        load(tmp_path)


def test_without_it_no_picture_leaves(folders: dict[str, Path], tmp_path: Path) -> None:
    model = model_with(folders["sd"], tmp_path)
    runner = Runner(Catalog([model]), Pool(name="tiny", stages=tuple(Stage)), policy=EveryRow())
    with pytest.raises(ModelNotLoadable):
        draw(runner, model, FakeControl())
    runner.close()


def test_results_of_another_checker_are_others(
    folders: dict[str, Path], checkers: dict[str, Path]
) -> None:
    models = [model_with(folders["sd"], each) for each in (None, checkers["red"], checkers["all"])]
    params = resolve({"prompt": "cat"}, models[0])
    named = [fingerprints(params, model, Catalog([model])) for model in models]
    assert len({each.get("safety_checker") for each in named}) == 3
    assert "safety_checker" not in named[0]
