"""Stable Diffusion XL: two text encoders, pooled embeddings, a VAE that overflows in fp16."""

from collections.abc import Iterator
from typing import Any, ClassVar

import torch
from diffusers import StableDiffusionXLPipeline
from PIL.Image import Image
from torch import Tensor

from myriad.job import Stage
from myriad.params import GenerationParams
from workers.families.base import Embeds, Family, Pipeline


class StableDiffusionXL(Family):
    pipeline = StableDiffusionXLPipeline
    components: ClassVar = {
        Stage.ENCODE: ("tokenizer", "text_encoder", "tokenizer_2", "text_encoder_2"),
        Stage.DENOISE: ("unet", "scheduler"),
        Stage.DECODE: ("vae",),
    }
    options: ClassVar = {"add_watermarker": False}

    def encode(self, pipe: Pipeline, params: GenerationParams, device: torch.device) -> Embeds:
        positive, negative, pooled, negative_pooled = pipe.encode_prompt(
            prompt=params.prompt,
            device=device,
            num_images_per_prompt=1,
            do_classifier_free_guidance=params.guidance_scale > 1,
            # None, not "": the model's own config says what no negative prompt means.
            negative_prompt=params.negative_prompt or None,
        )
        return {
            "prompt_embeds": positive,
            "negative_prompt_embeds": negative,
            "pooled_prompt_embeds": pooled,
            "negative_pooled_prompt_embeds": negative_pooled,
        }

    def decode(self, pipe: Pipeline, latents: Tensor) -> Iterator[Image]:
        if pipe.vae.dtype == torch.float16 and pipe.vae.config.force_upcast:
            pipe.vae.to(torch.float32)
        return super().decode(pipe, latents)

    def unscale(self, vae: Any, latents: Tensor) -> Tensor:
        mean, std = vae.config.latents_mean, vae.config.latents_std
        scaled: Tensor = latents / vae.config.scaling_factor
        if mean is not None and std is not None:
            shape = (1, -1, 1, 1)
            scaled = latents * latents.new_tensor(std).view(shape) / vae.config.scaling_factor
            scaled = scaled + latents.new_tensor(mean).view(shape)
        return scaled
