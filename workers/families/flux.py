"""Flux.1: T5 reads the prompt, CLIP gives it one vector; latents travel packed two by two."""

from typing import Any, ClassVar

import torch
from diffusers import FluxImg2ImgPipeline, FluxPipeline
from torch import Tensor

from myriad.job import Stage
from myriad.mode import Mode
from myriad.params import GenerationParams
from workers.batching.call import CallSpec
from workers.conditions import Embeds
from workers.families.flow import FlowFamily, shifted
from workers.shell import Pipeline


class Flux(FlowFamily):
    """`guidance_scale` is the guidance that the distilled model takes as an input.

    With a negative prompt it is the scale of true classifier-free guidance instead
    (`true_cfg_scale`, two forward passes a step), and the model's own is 1, which
    is none: the one number is not applied twice. A model without an input for
    guidance (schnell) heeds it only with a negative prompt.
    """

    pipelines: ClassVar = {
        Mode.TEXT_TO_IMAGE: FluxPipeline,
        Mode.IMAGE_TO_IMAGE: FluxImg2ImgPipeline,
    }
    components: ClassVar = {
        Stage.ENCODE: ("tokenizer", "text_encoder", "tokenizer_2", "text_encoder_2", "vae"),
        Stage.DENOISE: ("transformer", "scheduler"),
        Stage.DECODE: ("vae",),
    }
    meeting_points: ClassVar = {
        "transformer": CallSpec(shared=frozenset({"img_ids", "txt_ids"})),
    }
    max_tokens: ClassVar = 512
    tokenizer: ClassVar = "tokenizer_2"

    def texts(self, params: GenerationParams) -> dict[str, str]:
        texts = {"prompt": params.prompt}
        return texts | ({"negative_prompt": params.negative_prompt} if _is_true_cfg(params) else {})

    def encode(self, pipe: Pipeline, params: GenerationParams, device: torch.device) -> Embeds:
        embeds = {}
        for field, text in self.texts(params).items():
            prompt_embeds, pooled, _ = pipe.encode_prompt(
                prompt=text, device=device, max_sequence_length=self.max_tokens
            )
            prefix = field.removesuffix("prompt")
            embeds[f"{prefix}prompt_embeds"] = prompt_embeds
            embeds[f"{prefix}pooled_prompt_embeds"] = pooled
        return embeds

    def arguments(self, params: GenerationParams) -> dict[str, Any]:
        arguments = super().arguments(params)
        if _is_true_cfg(params):
            arguments |= {"true_cfg_scale": params.guidance_scale, "guidance_scale": 1.0}
        return arguments

    def to_vae(self, pipe: Pipeline, latents: Tensor, params: GenerationParams) -> Tensor:
        scale = pipe.vae_scale_factor
        return shifted(pipe.vae, pipe._unpack_latents(latents, params.height, params.width, scale))


def _is_true_cfg(params: GenerationParams) -> bool:
    return bool(params.negative_prompt) and params.guidance_scale > 1
