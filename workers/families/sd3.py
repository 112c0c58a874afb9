"""Stable Diffusion 3 and 3.5: two CLIPs and a T5 read the prompt; the last reads all of it."""

from typing import ClassVar

import torch
from diffusers import StableDiffusion3Img2ImgPipeline, StableDiffusion3Pipeline
from torch import Tensor

from myriad.job import Stage
from myriad.mode import Mode
from myriad.params import GenerationParams
from workers.batching.call import CallSpec
from workers.conditions import Embeds
from workers.families.flow import FlowFamily, shifted
from workers.shell import Pipeline

_TEXT = tuple(
    f"{part}{place}" for place in ("", "_2", "_3") for part in ("tokenizer", "text_encoder")
)


class StableDiffusion3(FlowFamily):
    """`guidance_scale` is classifier-free guidance, from above 1.

    The CLIPs drop what is beyond their 77 tokens, as ever in this pipeline; T5 has it.
    """

    pipelines: ClassVar = {
        Mode.TEXT_TO_IMAGE: StableDiffusion3Pipeline,
        Mode.IMAGE_TO_IMAGE: StableDiffusion3Img2ImgPipeline,
    }
    components: ClassVar = {
        Stage.ENCODE: (*_TEXT, "vae"),
        Stage.DENOISE: ("transformer", "scheduler"),
        Stage.DECODE: ("vae",),
    }
    meeting_points: ClassVar = {"transformer": CallSpec()}
    max_tokens: ClassVar = 256
    tokenizer: ClassVar = "tokenizer_3"

    def encode(self, pipe: Pipeline, params: GenerationParams, device: torch.device) -> Embeds:
        positive, negative, pooled, negative_pooled = pipe.encode_prompt(
            prompt=params.prompt,
            prompt_2=None,
            prompt_3=None,
            device=device,
            do_classifier_free_guidance=params.guidance_scale > 1,
            negative_prompt=params.negative_prompt,
            max_sequence_length=self.max_tokens,
        )
        return {
            "prompt_embeds": positive,
            "negative_prompt_embeds": negative,
            "pooled_prompt_embeds": pooled,
            "negative_pooled_prompt_embeds": negative_pooled,
        }

    def to_vae(self, pipe: Pipeline, latents: Tensor, params: GenerationParams) -> Tensor:
        return shifted(pipe.vae, latents)
