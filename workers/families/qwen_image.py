"""Qwen-Image: a vision-language model reads the prompt; a video VAE draws one frame."""

from typing import Any, ClassVar

import torch
from diffusers import QwenImageImg2ImgPipeline, QwenImagePipeline
from torch import Tensor

from myriad.job import Stage
from myriad.mode import Mode
from myriad.params import GenerationParams
from workers.batching.call import CallSpec
from workers.conditions import Conditions, Embeds
from workers.families.base import Frames
from workers.families.flow import FlowFamily
from workers.shell import Pipeline

# What its makers advise to say when there is nothing to keep out of the picture.
_NOTHING = " "


class QwenImage(FlowFamily):
    """`guidance_scale` is the pipeline's `true_cfg_scale`, from above 1 (two passes a step).

    The pipeline itself guides only with a negative prompt; without one it is a space.
    """

    pipelines: ClassVar = {
        Mode.TEXT_TO_IMAGE: QwenImagePipeline,
        Mode.IMAGE_TO_IMAGE: QwenImageImg2ImgPipeline,
    }
    components: ClassVar = {
        Stage.ENCODE: ("tokenizer", "text_encoder", "vae"),
        Stage.DENOISE: ("transformer", "scheduler"),
        Stage.DECODE: ("vae",),
    }
    meeting_points: ClassVar = {
        "transformer": CallSpec(
            listed=frozenset({"img_shapes"}),
            padded={"encoder_hidden_states": "encoder_hidden_states_mask"},
        ),
    }
    max_tokens: ClassVar = 1024

    def texts(self, params: GenerationParams) -> dict[str, str]:
        return {field: text or _NOTHING for field, text in super().texts(params).items()}

    def count_tokens(self, pipe: Pipeline, text: str) -> int:
        told = pipe.prompt_template_encode.format(text)
        return super().count_tokens(pipe, told) - int(pipe.prompt_template_encode_start_idx)

    def encode(self, pipe: Pipeline, params: GenerationParams, device: torch.device) -> Embeds:
        embeds = {}
        for field, text in self.texts(params).items():
            encoded, mask = pipe.encode_prompt(
                prompt=text, device=device, max_sequence_length=self.max_tokens
            )
            embeds[f"{field}_embeds"], embeds[f"{field}_embeds_mask"] = encoded, mask
        return embeds

    def arguments(self, params: GenerationParams) -> dict[str, Any]:
        return {
            **super().arguments(params),
            "true_cfg_scale": params.guidance_scale,
            "guidance_scale": None,  # of distilled models, of which there is none
            "max_sequence_length": self.max_tokens,
        }

    def vae_inputs(self, pipe: Pipeline, conditions: Conditions) -> list[Tensor]:
        return [image.unsqueeze(2) for image in super().vae_inputs(pipe, conditions)]

    def to_vae(self, pipe: Pipeline, latents: Tensor, params: GenerationParams) -> Tensor:
        config, scale = pipe.vae.config, pipe.vae_scale_factor
        latents = pipe._unpack_latents(latents, params.height, params.width, scale)
        mean, std = (
            torch.tensor(values).view(1, -1, 1, 1, 1).to(latents.device, latents.dtype)
            for values in (config.latents_mean, config.latents_std)
        )
        # Two divisions, as the pipeline rounds.
        return latents / (1.0 / std) + mean

    def frames(self, pipe: Pipeline, pixels: Tensor) -> Frames:
        return super().frames(pipe, pixels[:, :, 0])
