"""Three runners, each with its own components and only blobs between them, equal stock."""

import json
from typing import Any

import pytest
import torch

from myriad.errors import PromptTooLong
from myriad.family import FAMILIES as FACTS
from myriad.job import Stage
from tests.workers.families.stock import Stock, assert_same_frames, call_stock, split
from tests.workers.families.tiny import TINY
from tests.workers.families.tiny.model import IMAGE
from tests.workers.stage import FakeControl, MakeLease, MakeRunner, Parted
from workers.families import FAMILIES, find_family

KINDS = [
    pytest.param(family, asked, id=f"{family}-{json.dumps(asked)[:60]}")
    for family, tiny in TINY.items()
    for asked in tiny.kinds
]


@pytest.mark.parametrize(("family", "asked"), KINDS)
def test_split_equals_stock_bit_for_bit(
    parted: Parted, stock: Stock, lease: MakeLease, family: str, asked: dict[str, Any]
) -> None:
    job = lease(family, **asked)
    latents, frames = split(parted, job)
    assert torch.equal(latents, call_stock(stock(family), job, "latent"))
    assert_same_frames(frames, call_stock(stock(family), job, "pil"))


def test_what_is_asked_for_matters(parted: Parted, lease: MakeLease, family: str) -> None:
    """Else a family that drops an argument could still equal a stock call that does."""
    plain, _ = split(parted, lease(family))
    for asked in ({"prompt": "blue"}, {"seed": 12}, {"guidance_scale": 2.0}):
        other, _ = split(parted, lease(family, **asked))
        assert not torch.allclose(plain, other, rtol=1e-3), asked


def test_a_negative_prompt_matters_where_there_is_guidance(
    parted: Parted, lease: MakeLease, family: str
) -> None:
    guided = [split(parted, lease(family, negative_prompt=text))[0] for text in ("", "blue")]
    assert not torch.allclose(*guided, rtol=1e-3)
    free = [
        split(parted, lease(family, negative_prompt=text, guidance_scale=0.0))[0]
        for text in ("", "blue")
    ]
    assert torch.equal(*free)


def test_image_i_equals_the_one_image_job_of_its_seed(
    parted: Parted, lease: MakeLease, family: str
) -> None:
    asked: dict[str, Any] = {}
    if any("image" in kind for kind in TINY[family].kinds):
        asked = {"image": IMAGE, "strength": 0.7}
    many, _ = split(parted, lease(family, seed=40, num_images=2, **asked))
    alone, _ = split(parted, lease(family, seed=41, **asked))
    torch.testing.assert_close(many[1:], alone, rtol=1e-3, atol=1e-3)
    assert not torch.allclose(many[:1], alone, rtol=1e-2)


def test_each_pool_loads_only_its_stages_components(open_runner: MakeRunner, family: str) -> None:
    parts = find_family(family).components
    for stage, beside in ((Stage.ENCODE, set()), (Stage.DENOISE, {"vae"}), (Stage.DECODE, set())):
        runner = open_runner(stage)
        runner.preload(family)
        [loaded] = runner._library.held
        held = {name for name, part in loaded.pipe.components.items() if part is not None}
        assert held <= {*parts[stage], *beside}
        if stage is Stage.DENOISE:
            assert not isinstance(loaded.pipe.vae, torch.nn.Module)


def test_a_prompt_that_would_be_cut_off_is_refused(
    parted: Parted, lease: MakeLease, family: str
) -> None:
    for field in ("prompt", "negative_prompt"):
        job = lease(family, **{field: "many words " * 500})
        with pytest.raises(PromptTooLong) as refused:
            parted[Stage.ENCODE].encode(job, {}, FakeControl())
        assert refused.value.field == field


def test_pools_of_different_precision_work_together(
    open_runner: MakeRunner, parted: Parted, lease: MakeLease, family: str
) -> None:
    """Text in fp32, denoising in bf16, pixels in fp32: what a farm does."""
    job, control = lease(family), FakeControl()
    embeds = parted[Stage.ENCODE].encode(job, {}, control)
    latents = open_runner(Stage.DENOISE, precision="bf16").denoise(job, embeds, control)
    assert len(parted[Stage.DECODE].decode(job, latents, control)) == 1


def test_previews_are_drawn_where_the_denoiser_has_no_vae(
    parted: Parted, lease: MakeLease, family: str
) -> None:
    job, control = lease(family), FakeControl(takes_previews=True)
    embeds = parted[Stage.ENCODE].encode(job, {}, FakeControl())
    parted[Stage.DENOISE].denoise(job, embeds, control)
    assert len(control.previews) == len(control.seen) * find_family(family).has_previews


@pytest.mark.parametrize("family", sorted(name for name in FAMILIES if not FACTS[name].is_refiner))
def test_doors_and_workers_agree_on_what_a_family_does(family: str) -> None:
    assert set(FAMILIES[family].pipelines) == FACTS[family].modes
