"""Stable Diffusion XL: two text encoders, pooled embeddings, a VAE that overflows in fp16."""

from collections.abc import Mapping
from typing import Any, ClassVar

from diffusers import (
    StableDiffusionXLControlNetImg2ImgPipeline,
    StableDiffusionXLControlNetInpaintPipeline,
    StableDiffusionXLControlNetPipeline,
    StableDiffusionXLImg2ImgPipeline,
    StableDiffusionXLInpaintPipeline,
    StableDiffusionXLPipeline,
)
from torch import Tensor

from myriad.job import Stage
from myriad.mode import Mode
from myriad.params import GenerationParams
from workers.families.sd import StableDiffusion
from workers.shell import Pipeline


class StableDiffusionXL(StableDiffusion):
    pipelines: ClassVar = {
        Mode.TEXT_TO_IMAGE: StableDiffusionXLPipeline,
        Mode.IMAGE_TO_IMAGE: StableDiffusionXLImg2ImgPipeline,
        Mode.INPAINTING: StableDiffusionXLInpaintPipeline,
    }
    controlled: ClassVar = {
        Mode.TEXT_TO_IMAGE: StableDiffusionXLControlNetPipeline,
        Mode.IMAGE_TO_IMAGE: StableDiffusionXLControlNetImg2ImgPipeline,
        Mode.INPAINTING: StableDiffusionXLControlNetInpaintPipeline,
    }
    components: ClassVar = {
        Stage.ENCODE: ("tokenizer", "text_encoder", "tokenizer_2", "text_encoder_2", "vae"),
        Stage.DENOISE: ("unet", "scheduler"),
        Stage.DECODE: ("vae",),
    }
    options: ClassVar = {"add_watermarker": False}

    embeds: ClassVar = (
        "prompt_embeds",
        "negative_prompt_embeds",
        "pooled_prompt_embeds",
        "negative_pooled_prompt_embeds",
    )

    def lora_options(self, pipe: Pipeline) -> Mapping[str, Any]:
        # Some files number the blocks as the first SDXL code did.
        return {"unet_config": pipe.unet.config} if pipe.unet is not None else {}

    def to_vae(self, pipe: Pipeline, latents: Tensor, params: GenerationParams) -> Tensor:
        vae = pipe.vae
        # A tiny autoencoder has neither.
        mean, std = vae.config.get("latents_mean"), vae.config.get("latents_std")
        scaled: Tensor = latents / vae.config.scaling_factor
        if mean is not None and std is not None:
            shape = (1, -1, 1, 1)
            scaled = latents * latents.new_tensor(std).view(shape) / vae.config.scaling_factor
            scaled = scaled + latents.new_tensor(mean).view(shape)
        return scaled
