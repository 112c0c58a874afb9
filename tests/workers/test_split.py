"""Three runners, each with its own components and only blobs between them, equal stock."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from PIL import Image, ImageChops

from myriad.catalog import ROOT, load_catalog
from myriad.job import Stage
from myriad.lease import Lease
from myriad.resolve import resolve
from myriad.scheduler import DIFFUSION_SCHEDULERS
from tasks.runner import Picture
from tests.workers.stage import FakeControl, MakeLease, MakeRunner, Parted, make_lease
from workers import blob
from workers.families import find_family
from workers.runner import Runner

Stock = Callable[[str], Any]


def split(runners: Parted, job: Lease) -> tuple[torch.Tensor, list[Picture]]:
    """The latents and pictures of a job whose three stages share nothing but bytes."""
    embeds = runners[Stage.ENCODE].encode(job, {}, FakeControl())
    latents = runners[Stage.DENOISE].denoise(job, embeds, FakeControl())
    pictures = runners[Stage.DECODE].decode(job, latents, FakeControl())
    return blob.load(latents)["latents"], pictures


def call_stock(pipe: Any, job: Lease, output_type: str, **embeds: Any) -> Any:
    """What the unmodified pipeline makes of the same params, or of `embeds` for the words."""
    params = job.params
    words = embeds or {
        "prompt": params.prompt,
        "negative_prompt": params.negative_prompt or None,
    }
    pipe.scheduler = getattr(diffusers, params.scheduler).from_config(pipe.scheduler.config)
    return pipe(
        **words,
        width=params.width,
        height=params.height,
        num_inference_steps=params.num_inference_steps,
        guidance_scale=params.guidance_scale,
        num_images_per_prompt=params.num_images,
        generator=[torch.Generator().manual_seed(seed) for seed in params.seeds],
        output_type=output_type,
    ).images


def assert_equal_to_stock(
    pipe: Any, job: Lease, latents: torch.Tensor, pictures: list[Picture]
) -> None:
    assert torch.equal(latents, call_stock(pipe, job, "latent"))
    expected = call_stock(pipe, job, "pil")
    assert len(pictures) == len(expected) == job.params.num_images
    for picture, image in zip(pictures, expected, strict=True):
        assert Image.open(io.BytesIO(picture.data)).tobytes() == image.tobytes()
        assert (picture.width, picture.height) == (job.params.width, job.params.height)


@pytest.mark.parametrize(
    "scheduler",
    [
        "DDIMScheduler",
        "EulerDiscreteScheduler",
        "EulerAncestralDiscreteScheduler",
        "DPMSolverMultistepScheduler",
        "UniPCMultistepScheduler",
    ],
)
def test_split_equals_stock_under_each_scheduler(
    parted: Parted, stock: Stock, lease: MakeLease, family: str, scheduler: str
) -> None:
    job = lease(family, scheduler=scheduler)
    assert_equal_to_stock(stock(family), job, *split(parted, job))


@pytest.mark.parametrize(
    "asked",
    [
        {"guidance_scale": 1.0},
        {"guidance_scale": 0.0, "negative_prompt": "ignored"},
        {"negative_prompt": "blue"},
        {"prompt": ""},
        {"num_images": 2},
        {"num_images": 3, "scheduler": "EulerAncestralDiscreteScheduler"},
    ],
    ids=str,
)
def test_split_equals_stock_for_each_kind_of_request(
    parted: Parted, stock: Stock, lease: MakeLease, family: str, asked: dict[str, Any]
) -> None:
    job = lease(family, **asked)
    assert_equal_to_stock(stock(family), job, *split(parted, job))


def test_one_runner_of_all_stages_equals_stock(
    open_runner: MakeRunner, stock: Stock, lease: MakeLease, family: str
) -> None:
    runner = open_runner(*Stage)
    job, control = lease(family), FakeControl()
    latents = runner.denoise(job, runner.encode(job, {}, control), control)
    pictures = runner.decode(job, latents, control)
    assert_equal_to_stock(stock(family), job, blob.load(latents)["latents"], pictures)


def test_image_i_equals_the_one_image_job_of_its_seed(
    parted: Parted, lease: MakeLease, family: str
) -> None:
    many, pictures = split(parted, lease(family, seed=40, num_images=3))
    alone, _ = split(parted, lease(family, seed=42))
    assert [picture.seed for picture in pictures] == [40, 41, 42]
    torch.testing.assert_close(many[2:], alone, rtol=1e-3, atol=1e-3)
    assert not torch.allclose(many[:1], alone, rtol=1e-2)


def test_pixels_of_a_batch_differ_from_decoding_it_whole_by_a_level_at_most(
    parted: Parted, folders: dict[str, Path], lease: MakeLease
) -> None:
    job = lease("sd", num_images=2)
    _, pictures = split(parted, job)
    pipe = diffusers.StableDiffusionPipeline.from_pretrained(folders["sd"])
    pipe.set_progress_bar_config(disable=True)
    for picture, image in zip(pictures, call_stock(pipe, job, "pil"), strict=True):
        difference = ImageChops.difference(Image.open(io.BytesIO(picture.data)), image)
        assert max(high for _, high in difference.getextrema()) <= 1


@pytest.mark.parametrize("scheduler", DIFFUSION_SCHEDULERS)
def test_every_scheduler_of_the_catalogue_runs_and_reports_all_its_steps(
    parted: Parted, lease: MakeLease, scheduler: str
) -> None:
    job, control = lease("sd", scheduler=scheduler, num_inference_steps=4), FakeControl()
    embeds = parted[Stage.ENCODE].encode(job, {}, FakeControl())
    parted[Stage.DENOISE].denoise(job, embeds, control)
    total = control.seen[0][1]
    assert total >= job.params.num_inference_steps
    assert control.seen == [(done, total) for done in range(1, total + 1)]


def test_jobs_in_a_row_leave_nothing_behind(parted: Parted, lease: MakeLease) -> None:
    """A request's scheduler is its own: a second job equals a first one."""
    job, other = lease("sd"), lease("sd", scheduler="LCMScheduler", num_inference_steps=7)
    first, _ = split(parted, job)
    split(parted, other)
    assert torch.equal(first, split(parted, job)[0])


def test_pools_of_different_precision_work_together(
    open_runner: MakeRunner, parted: Parted, lease: MakeLease, family: str
) -> None:
    """Text in fp32, denoising in bf16, pixels in fp32: what a farm does."""
    job, control = lease(family), FakeControl()
    embeds = parted[Stage.ENCODE].encode(job, {}, control)
    latents = open_runner(Stage.DENOISE, precision="bf16").denoise(job, embeds, control)
    assert blob.load(latents)["latents"].dtype is torch.bfloat16
    assert len(parted[Stage.DECODE].decode(job, latents, control)) == 1


@pytest.mark.parametrize("stage", [Stage.ENCODE, Stage.DECODE])
@pytest.mark.parametrize(("model", "dtype"), [("sd", torch.float16), ("sdxl", torch.float32)])
def test_a_vae_overflows_in_fp16_where_the_pipeline_says_so_and_from_the_start(
    open_runner: MakeRunner, stage: Stage, model: str, dtype: torch.dtype
) -> None:
    """Not later: others have made their latents of its type by then."""
    runner = open_runner(stage, precision="fp16")
    runner.preload(model)
    [loaded] = runner._library.held
    assert loaded.pipe.vae.dtype is dtype


def test_latents_of_fp16_are_decoded_by_a_vae_in_fp32(
    open_runner: MakeRunner, lease: MakeLease
) -> None:
    decoder = open_runner(Stage.DECODE, precision="fp16")
    latents = torch.zeros(1, 4, 12, 8, dtype=torch.float16)
    assert decoder.decode(lease("sdxl"), blob.dump({"latents": latents}), FakeControl())


def loaded_parts(runner: Runner, model: str) -> set[str]:
    """Names of the components a runner holds, as it holds them."""
    runner.preload(model)
    [loaded] = runner._library.held
    return {name for name, part in loaded.pipe.components.items() if part is not None}


def test_each_pool_loads_only_its_stages_components(open_runner: MakeRunner, family: str) -> None:
    parts = find_family(family).components
    assert loaded_parts(open_runner(Stage.ENCODE), family) == set(parts[Stage.ENCODE])
    assert loaded_parts(open_runner(Stage.DECODE), family) == set(parts[Stage.DECODE])
    # The VAE's stand-in is there, and weighs nothing.
    denoiser = open_runner(Stage.DENOISE)
    assert loaded_parts(denoiser, family) == {*parts[Stage.DENOISE], "vae"}
    [loaded] = denoiser._library.held
    assert not isinstance(loaded.pipe.vae, torch.nn.Module)
    assert loaded.size_bytes == sum(each.nbytes for each in loaded.pipe.unet.state_dict().values())


def test_bundled_model_split_equals_stock(open_runner: MakeRunner) -> None:
    if not (ROOT / "model/weights/myriad-shapes/model_index.json").is_file():
        pytest.skip("the bundled model is not trained yet")
    catalog = load_catalog()
    model = catalog.default
    job = make_lease(model.name, resolve({"prompt": "a red circle", "seed": 5}, model))
    runners = {stage: open_runner(stage, models=catalog) for stage in Stage}
    pipe = diffusers.DiffusionPipeline.from_pretrained(model.source, dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    assert_equal_to_stock(pipe, job, *split(runners, job))
