"""Stable Diffusion 1.x and 2.x, and the bundled model."""

from typing import Any, ClassVar

import torch
from diffusers import StableDiffusionPipeline
from torch import Tensor

from myriad.job import Stage
from myriad.params import GenerationParams
from workers.families.base import Embeds, Family, Pipeline


class StableDiffusion(Family):
    pipeline = StableDiffusionPipeline
    components: ClassVar = {
        Stage.ENCODE: ("tokenizer", "text_encoder"),
        Stage.DENOISE: ("unet", "scheduler"),
        Stage.DECODE: ("vae",),
    }
    # The checker is no part of the split; said here, its absence is no surprise to diffusers.
    options: ClassVar = {"requires_safety_checker": False}

    def encode(self, pipe: Pipeline, params: GenerationParams, device: torch.device) -> Embeds:
        positive, negative = pipe.encode_prompt(
            prompt=params.prompt,
            device=device,
            num_images_per_prompt=1,
            do_classifier_free_guidance=params.guidance_scale > 1,
            negative_prompt=params.negative_prompt or None,
        )
        return {"prompt_embeds": positive, "negative_prompt_embeds": negative}

    def unscale(self, vae: Any, latents: Tensor) -> Tensor:
        scaled: Tensor = latents / vae.config.scaling_factor
        return scaled
