"""What the tests ask for, by names that hold in every family."""

from typing import Any

import torch

from tests.workers.adapters.stock import (
    DEPTH_DIGEST,
    EDGES_DIGEST,
    INPUTS,
    MASK_DIGEST,
    PICTURE_DIGEST,
)
from tests.workers.stage import FakeControl
from workers import blob
from workers.runner import Runner

STYLE, LINE, WORDS = {"name": "style"}, {"name": "line", "scale": 0.6}, {"name": "words"}
EDGES = {"model": "edges", "image": EDGES_DIGEST, "scale": 0.7}
DEPTH = {"model": "depth", "image": DEPTH_DIGEST, "scale": 1.3}
PICTURE = {"image": PICTURE_DIGEST, "strength": 0.7}
MASKED = {"image": PICTURE_DIGEST, "mask": MASK_DIGEST}

KINDS: dict[str, dict[str, Any]] = {
    "lora with text": {"loras": [STYLE]},
    "lora scaled": {"loras": [{"name": "style", "scale": -0.8}]},
    "lora of words": {"loras": [WORDS], "guidance_scale": 1.0},
    "two loras": {"loras": [STYLE, LINE], "num_images": 2},
    "image and lora": {**PICTURE, "loras": [LINE]},
    "controlnet": {"controlnets": [EDGES]},
    "controlnet without guidance": {"controlnets": [DEPTH], "guidance_scale": 1.0, "num_images": 2},
    "two controlnets": {"controlnets": [EDGES, DEPTH]},
    "one controlnet twice": {"controlnets": [EDGES, {**EDGES, "image": DEPTH_DIGEST}]},
    "image and controlnet": {**PICTURE, "controlnets": [EDGES]},
    "image and two controlnets": {**PICTURE, "controlnets": [EDGES, DEPTH]},
    "mask and controlnet": {**MASKED, "controlnets": [DEPTH]},
    "controlnet and lora": {"controlnets": [EDGES], "loras": [STYLE]},
}


def named(family: str, asked: dict[str, Any]) -> dict[str, Any]:
    """`asked` with the names that this family's additions have in the catalogue."""
    loras = [{**use, "name": f"{family}-{use['name']}"} for use in asked.get("loras", [])]
    nets = [{**use, "model": f"{family}-{use['model']}"} for use in asked.get("controlnets", [])]
    return {**asked, "loras": loras, "controlnets": nets}


def denoise(runner: Runner, job: Any, control: FakeControl | None = None) -> torch.Tensor:
    embeds = runner.encode(job, INPUTS, FakeControl())
    return blob.load(runner.denoise(job, embeds, control or FakeControl()))["latents"]
