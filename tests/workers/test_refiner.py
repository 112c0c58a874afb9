"""A base model and its refiner, split over stages, equal the two stock pipelines in a row."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch

from myriad.catalog import Catalog
from myriad.job import Stage
from myriad.lease import Lease
from myriad.model import Defaults, Limits, Model
from myriad.pool import Pool
from myriad.resolve import resolve
from tests.workers import tiny
from tests.workers.stage import FakeControl, Parted, make_lease
from tests.workers.test_resume import cut_off, latents_of
from workers.runner import Runner


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    root = tmp_path_factory.mktemp("pair")
    folders: dict[str, Path] = {
        "sdxl": tiny.save_sdxl(root / "base"),
        "sdxl-refiner": tiny.save_sdxl_refiner(root / "refiner"),
    }
    common = {"defaults": Defaults(width=16, height=24), "limits": Limits(min_size=16)}
    return Catalog(
        [
            Model(name="base", family="sdxl", source=str(folders["sdxl"]), **common),
            Model(
                name="finish",
                family="sdxl-refiner",
                source=str(folders["sdxl-refiner"]),
                refiner_of=("base",),
                **common,
            ),
        ]
    )


@pytest.fixture(scope="module")
def runners(pair: Catalog) -> Iterator[Parted]:
    pools = {stage: Pool(name="tiny", stages=(stage,)) for stage in Stage}
    opened = {stage: Runner(pair, pool) for stage, pool in pools.items()}
    yield opened
    for runner in opened.values():
        runner.close()


def job_of(pair: Catalog, **asked: Any) -> Lease:
    values = {
        "prompt": "a red cat",
        "seed": 11,
        "num_inference_steps": 10,
        "refiner": {"model": "finish", "denoising_start": 0.6},
        **asked,
    }
    return make_lease("base", resolve(values, pair["base"], pair))


def call_stock(pair: Catalog, job: Lease) -> torch.Tensor:
    params = job.params
    assert params.refiner
    base = diffusers.StableDiffusionXLPipeline.from_pretrained(pair["base"].source)
    refiner = diffusers.StableDiffusionXLImg2ImgPipeline.from_pretrained(
        pair.refiners["finish"].source
    )
    common = {
        "negative_prompt": params.negative_prompt or None,
        "num_inference_steps": params.num_inference_steps,
        "guidance_scale": params.guidance_scale,
        "num_images_per_prompt": params.num_images,
        "generator": [torch.Generator().manual_seed(seed) for seed in params.seeds],
        "output_type": "latent",
    }
    for pipe in (base, refiner):
        pipe.set_progress_bar_config(disable=True)
        pipe.scheduler = getattr(diffusers, params.scheduler).from_config(pipe.scheduler.config)
    start = params.refiner.denoising_start
    size = {"width": params.width, "height": params.height}
    latents = base(params.prompt, denoising_end=start, **size, **common).images
    return refiner(params.prompt, image=latents, denoising_start=start, **common).images


def run(runners: Parted, job: Lease, control: FakeControl) -> torch.Tensor:
    embeds = runners[Stage.ENCODE].encode(job, {}, FakeControl())
    return latents_of(runners[Stage.DENOISE].denoise(job, embeds, control))


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"num_images": 2, "negative_prompt": "blue"},
        {"scheduler": "EulerAncestralDiscreteScheduler", "guidance_scale": 4.0},
        {"scheduler": "DPMSolverMultistepScheduler"},
    ],
    ids=str,
)
def test_both_halves_equal_stock(pair: Catalog, runners: Parted, asked: dict[str, Any]) -> None:
    job, control = job_of(pair, **asked), FakeControl()
    assert torch.equal(run(runners, job, control), call_stock(pair, job))
    assert control.seen == [(step, 10) for step in range(1, 11)]


@pytest.mark.parametrize("after", [3, 8])
def test_a_run_cut_off_in_either_half_resumes_bit_for_bit(
    pair: Catalog, runners: Parted, after: int
) -> None:
    job = job_of(pair, scheduler="EulerAncestralDiscreteScheduler")
    whole, rest = run(runners, job, FakeControl()), FakeControl()
    runner = runners[Stage.DENOISE]
    embeds = runners[Stage.ENCODE].encode(job, {}, FakeControl())
    saved = cut_off(runner, job, embeds, after)[-1]
    assert torch.equal(latents_of(runner.denoise(job, embeds, rest, saved)), whole)
    assert rest.seen[0] == (after - 1, 10)
