"""Stable Diffusion."""

from typing import Any

from myriad.params import GenerationParams
from tests.workers import tiny
from tests.workers.families.tiny.model import Tiny


def call(pipe: Any, params: GenerationParams) -> dict[str, Any]:
    return {
        "prompt": params.prompt,
        "negative_prompt": params.negative_prompt or None,
        "guidance_scale": params.guidance_scale,
        "num_images_per_prompt": params.num_images,
    }


# Held against stock in every way by tests/workers/test_split.py and test_modes.py.
KINDS = ({"num_images": 2, "negative_prompt": "blue"},)

TINY = Tiny(save=tiny.save_sd, call=call, kinds=KINDS)
