"""Stable Diffusion 1.x and 2.x, and the bundled model."""

from typing import ClassVar

import torch
from diffusers import (
    StableDiffusionControlNetImg2ImgPipeline,
    StableDiffusionControlNetInpaintPipeline,
    StableDiffusionControlNetPipeline,
    StableDiffusionImg2ImgPipeline,
    StableDiffusionInpaintPipeline,
    StableDiffusionPipeline,
)
from torch import Tensor

from myriad.job import Stage
from myriad.mode import Mode
from myriad.params import GenerationParams
from workers.batching.call import CallSpec
from workers.conditions import Conditions, Embeds
from workers.families.base import Family, encoded_texts
from workers.families.inpainting import inpainting_inputs
from workers.families.long_prompt import Encoded, check_windows, encode_windows
from workers.shell import Pipeline

UNET = CallSpec(
    rows="sample",
    padded={"encoder_hidden_states": "encoder_attention_mask"},
    optional=frozenset({"down_block_additional_residuals", "mid_block_additional_residual"}),
)
# Its answers are added to the denoiser's own activations: nothing at all is as good as zeros.
CONTROLNET = CallSpec(
    rows="sample", scale="conditioning_scale", nothing=((), 0.0), precedes_another=True
)


class StableDiffusion(Family):
    pipelines: ClassVar = {
        Mode.TEXT_TO_IMAGE: StableDiffusionPipeline,
        Mode.IMAGE_TO_IMAGE: StableDiffusionImg2ImgPipeline,
        Mode.INPAINTING: StableDiffusionInpaintPipeline,
    }
    controlled: ClassVar = {
        Mode.TEXT_TO_IMAGE: StableDiffusionControlNetPipeline,
        Mode.IMAGE_TO_IMAGE: StableDiffusionControlNetImg2ImgPipeline,
        Mode.INPAINTING: StableDiffusionControlNetInpaintPipeline,
    }
    controlnet: ClassVar = CONTROLNET
    components: ClassVar = {
        Stage.ENCODE: ("tokenizer", "text_encoder", "vae"),
        Stage.DENOISE: ("unet", "scheduler"),
        Stage.DECODE: ("vae",),
    }
    meeting_points: ClassVar = {"unet": UNET}
    # The checker is no part of the split; said here, its absence is no surprise to diffusers.
    options: ClassVar = {"requires_safety_checker": False}

    # What `encode_prompt` returns, in its order, by the names the pipeline's call takes it by.
    embeds: ClassVar[tuple[str, ...]] = ("prompt_embeds", "negative_prompt_embeds")

    def encode(self, pipe: Pipeline, params: GenerationParams, device: torch.device) -> Embeds:
        def encode(shown: Pipeline) -> Encoded:
            encoded: Encoded = shown.encode_prompt(
                prompt=params.prompt,
                device=device,
                num_images_per_prompt=1,
                do_classifier_free_guidance=params.guidance_scale > 1,
                # None, not "": a model's own config may say what no negative prompt means.
                negative_prompt=params.negative_prompt or None,
            )
            return encoded

        texts = list(encoded_texts(params).values())
        encoded = encode_windows(pipe, texts, self._tokenizers(), encode)
        return dict(zip(self.embeds, encoded, strict=True))

    def check_length(self, pipe: Pipeline, params: GenerationParams) -> None:
        for field, text in encoded_texts(params).items():
            for name in self._tokenizers():
                check_windows(field, text, getattr(pipe, name))

    def _tokenizers(self) -> list[str]:
        return [name for name in self.components[Stage.ENCODE] if name.startswith("tokenizer")]

    def vae_inputs(self, pipe: Pipeline, conditions: Conditions) -> list[Tensor]:
        return inpainting_inputs(pipe, conditions)

    def to_vae(self, pipe: Pipeline, latents: Tensor, params: GenerationParams) -> Tensor:
        scaled: Tensor = latents / pipe.vae.config.scaling_factor
        return scaled
