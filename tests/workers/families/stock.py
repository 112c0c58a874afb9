"""A family's unmodified pipeline, called as its users would, and the three stages beside it."""

import io
from collections.abc import Callable
from typing import Any

import diffusers
import torch
from PIL import Image

from myriad.job import Stage
from myriad.lease import Lease
from tests.workers.families.tiny import TINY
from tests.workers.families.tiny.model import INPUTS, PICTURE
from tests.workers.stage import FakeControl, Parted
from workers import blob
from workers.families import find_family
from workers.families.base import Frames
from workers.runner import Runner
from workers.shell import build_pipeline, call_arguments

Stock = Callable[[str], Any]


def call_stock(pipe: Any, job: Lease, output_type: str) -> Any:
    """Latents, or what it makes of each image: a PIL picture or a list of them."""
    params, family = job.params, find_family(job.model)
    stock = build_pipeline(family.pipelines[params.mode], pipe)
    stock.scheduler = getattr(diffusers, params.scheduler).from_config(pipe.scheduler.config)
    arguments = {
        "height": params.height,
        "width": params.width,
        "num_inference_steps": params.num_inference_steps,
        "generator": [torch.Generator().manual_seed(seed) for seed in params.seeds],
        "output_type": output_type,
        "return_dict": False,
        **TINY[job.model].call(pipe, params),
    }
    if params.image:
        sized = PICTURE.resize((params.width, params.height), Image.Resampling.LANCZOS)
        # Once an image, so that each is encoded with its own generator.
        arguments |= {"image": [sized] * params.num_images, "strength": params.strength}
    return stock(**call_arguments(stock, arguments))[0]


def split(runners: Parted, job: Lease) -> tuple[torch.Tensor, list[Frames]]:
    """Latents and frames of a job whose three stages share nothing but bytes."""
    embeds = runners[Stage.ENCODE].encode(job, INPUTS, FakeControl())
    latents = runners[Stage.DENOISE].denoise(job, embeds, FakeControl())
    return blob.load(latents)["latents"], decode(runners[Stage.DECODE], job, latents)


def decode(runner: Runner, job: Lease, latents: bytes) -> list[Frames]:
    """What the decode stage draws, before a video is compressed."""
    [picture, *_] = pictures = runner.decode(job, latents, FakeControl())
    if picture.content_type.startswith("image/"):
        return [[Image.open(io.BytesIO(each.data))] for each in pictures]

    def draw() -> list[Frames]:
        loaded = runner._library.get(job.model)
        return list(loaded.family.decode(loaded.pipe, blob.load(latents)["latents"], job.params))

    return runner._engine.run(draw)


def assert_same_frames(ours: list[Frames], stock: Any) -> None:
    expected = [each if isinstance(each, list) else [each] for each in stock]
    assert [len(frames) for frames in ours] == [len(frames) for frames in expected]
    for frames, others in zip(ours, expected, strict=True):
        for frame, other in zip(frames, others, strict=True):
            assert frame.size == other.size
            assert frame.tobytes() == other.tobytes()
