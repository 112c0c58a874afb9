"""Image-to-image and inpainting: three runners that share nothing equal the stock pipelines."""

import io
from collections.abc import Callable
from typing import Any

import diffusers
import pytest
import torch
from PIL import Image

from myriad.job import Stage
from myriad.lease import Lease
from tasks.runner import Picture
from tests.workers.picture_input import half_mask, noise_picture, png
from tests.workers.stage import FakeControl, MakeLease, MakeRunner, Parted
from workers import blob
from workers.conditions import Conditions
from workers.families import find_family
from workers.shell import build_pipeline

Stock = Callable[[str], Any]

PICTURE = noise_picture()
MASK = half_mask()
IMAGE_DIGEST, IMAGE_PNG = png(PICTURE)
MASK_DIGEST, MASK_PNG = png(MASK)
INPUTS = {IMAGE_DIGEST: IMAGE_PNG, MASK_DIGEST: MASK_PNG}

KINDS: list[dict[str, Any]] = [
    {"image": IMAGE_DIGEST, "strength": 0.7},
    {"image": IMAGE_DIGEST, "strength": 1.0, "scheduler": "EulerAncestralDiscreteScheduler"},
    {"image": IMAGE_DIGEST, "num_images": 2, "guidance_scale": 1.0},
    {"image": IMAGE_DIGEST, "mask": MASK_DIGEST},
    {"image": IMAGE_DIGEST, "mask": MASK_DIGEST, "strength": 0.6, "num_images": 2},
]


def call_stock(pipe: Any, job: Lease, output_type: str) -> Any:
    params = job.params
    stock = build_pipeline(find_family(job.model).pipelines[params.mode], pipe)
    stock.scheduler = getattr(diffusers, params.scheduler).from_config(pipe.scheduler.config)
    size = {"width": params.width, "height": params.height}
    is_masked = params.mask is not None
    return stock(
        params.prompt,
        image=PICTURE if is_masked else PICTURE.resize(tuple(size.values()), Image.LANCZOS),
        **({"mask_image": MASK, **size} if is_masked else {}),
        strength=params.strength,
        num_inference_steps=params.num_inference_steps,
        guidance_scale=params.guidance_scale,
        num_images_per_prompt=params.num_images,
        generator=[torch.Generator().manual_seed(seed) for seed in params.seeds],
        output_type=output_type,
    ).images


def split(runners: Parted, job: Lease) -> tuple[torch.Tensor, list[Picture]]:
    embeds = runners[Stage.ENCODE].encode(job, INPUTS, FakeControl())
    latents = runners[Stage.DENOISE].denoise(job, embeds, FakeControl())
    return blob.load(latents)["latents"], runners[Stage.DECODE].decode(job, latents, FakeControl())


@pytest.mark.parametrize("asked", KINDS, ids=str)
def test_split_equals_stock(
    parted: Parted, stock: Stock, lease: MakeLease, family: str, asked: dict[str, Any]
) -> None:
    job = lease(family, **asked)
    latents, pictures = split(parted, job)
    assert torch.equal(latents, call_stock(stock(family), job, "latent"))
    for picture, image in zip(pictures, call_stock(stock(family), job, "pil"), strict=True):
        assert Image.open(io.BytesIO(picture.data)).tobytes() == image.tobytes()


def test_the_picture_matters_and_so_does_its_strength(
    parted: Parted, lease: MakeLease, family: str
) -> None:
    weak, _ = split(parted, lease(family, image=IMAGE_DIGEST, strength=0.4))
    strong, _ = split(parted, lease(family, image=IMAGE_DIGEST, strength=0.9))
    assert not torch.allclose(weak, strong, rtol=1e-2)


def test_conditions_survive_the_hop(parted: Parted, lease: MakeLease) -> None:
    job = lease("sd", image=IMAGE_DIGEST, mask=MASK_DIGEST)
    conditions = Conditions.load(parted[Stage.ENCODE].encode(job, INPUTS, FakeControl()))
    assert conditions.image is not None
    assert conditions.mask is not None
    assert conditions.image.size == conditions.mask.size == (job.params.width, job.params.height)
    assert len(conditions.moments) == 2
    again = Conditions.load(conditions.dump())
    assert again.image is not None
    assert again.image.tobytes() == conditions.image.tobytes()
    assert all(torch.equal(a, b) for a, b in zip(again.moments, conditions.moments, strict=True))


def test_pools_of_different_precision_take_an_image(
    open_runner: MakeRunner, parted: Parted, lease: MakeLease, family: str
) -> None:
    """The encodings are told apart by likeness where roundings differ."""
    job = lease(family, image=IMAGE_DIGEST, mask=MASK_DIGEST, strength=0.7)
    embeds = parted[Stage.ENCODE].encode(job, INPUTS, FakeControl())
    exact = blob.load(parted[Stage.DENOISE].denoise(job, embeds, FakeControl()))["latents"]
    rough = open_runner(Stage.DENOISE, precision="bf16").denoise(job, embeds, FakeControl())
    difference = (blob.load(rough)["latents"].float() - exact).abs().mean()
    assert difference < 0.1 * exact.abs().mean()
