"""Stable Diffusion XL: two text encoders, pooled embeddings, a VAE that overflows in fp16."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final

import torch
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
from workers.conditions import Conditions, Embeds
from workers.families.base import Family, Frames, encoded_texts, upcast_if_it_overflows
from workers.families.inpainting import inpainting_inputs
from workers.families.long_prompt import Encoded, check_windows, encode_windows
from workers.families.sd import CONTROLNET, UNET
from workers.shell import Pipeline

_EMBEDS: Final = (
    "prompt_embeds",
    "negative_prompt_embeds",
    "pooled_prompt_embeds",
    "negative_pooled_prompt_embeds",
)


class StableDiffusionXL(Family):
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
    controlnet: ClassVar = CONTROLNET
    components: ClassVar = {
        Stage.ENCODE: ("tokenizer", "text_encoder", "tokenizer_2", "text_encoder_2", "vae"),
        Stage.DENOISE: ("unet", "scheduler"),
        Stage.DECODE: ("vae",),
    }
    meeting_points: ClassVar = {"unet": UNET}
    options: ClassVar = {"add_watermarker": False}

    def encode(self, pipe: Pipeline, params: GenerationParams, device: torch.device) -> Embeds:
        def encode(shown: Pipeline) -> Encoded:
            encoded: Encoded = shown.encode_prompt(
                prompt=params.prompt,
                device=device,
                num_images_per_prompt=1,
                do_classifier_free_guidance=params.guidance_scale > 1,
                # None, not "": the model's own config says what no negative prompt means.
                negative_prompt=params.negative_prompt or None,
            )
            return encoded

        texts = list(encoded_texts(params).values())
        encoded = encode_windows(pipe, texts, self._tokenizers(), encode)
        return dict(zip(_EMBEDS, encoded, strict=True))

    def check_length(self, pipe: Pipeline, params: GenerationParams) -> None:
        for field, text in encoded_texts(params).items():
            for name in self._tokenizers():
                check_windows(field, text, getattr(pipe, name))

    def _tokenizers(self) -> list[str]:
        return [name for name in self.components[Stage.ENCODE] if name.startswith("tokenizer")]

    def lora_options(self, pipe: Pipeline) -> Mapping[str, Any]:
        # Some files number the blocks as the first SDXL code did.
        return {"unet_config": pipe.unet.config} if pipe.unet is not None else {}

    def vae_inputs(self, pipe: Pipeline, conditions: Conditions) -> list[Tensor]:
        return inpainting_inputs(pipe, conditions)

    def decode(self, pipe: Pipeline, latents: Tensor, params: GenerationParams) -> Iterator[Frames]:
        upcast_if_it_overflows(pipe.vae)
        return super().decode(pipe, latents, params)

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
