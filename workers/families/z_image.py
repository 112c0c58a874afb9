"""Z-Image: Qwen3 reads the prompt; its denoiser takes lists, one tensor an image."""

from typing import ClassVar

import torch
from diffusers import ZImageImg2ImgPipeline, ZImagePipeline
from torch import Tensor

from myriad.job import Stage
from myriad.mode import Mode
from myriad.params import GenerationParams
from workers.batching.call import CallSpec
from workers.conditions import Embeds
from workers.families.flow import FlowFamily, shifted
from workers.shell import Pipeline


class ZImage(FlowFamily):
    """`guidance_scale` counts as in its pipeline: 0 is none (turbo models), 1 is already some."""

    pipelines: ClassVar = {
        Mode.TEXT_TO_IMAGE: ZImagePipeline,
        Mode.IMAGE_TO_IMAGE: ZImageImg2ImgPipeline,
    }
    components: ClassVar = {
        Stage.ENCODE: ("tokenizer", "text_encoder", "vae"),
        Stage.DENOISE: ("transformer", "scheduler"),
        Stage.DECODE: ("vae",),
    }
    meeting_points: ClassVar = {
        "transformer": CallSpec(
            rows="x",
            timestep="t",
            listed=frozenset({"x"}),
            ragged=frozenset({"cap_feats"}),
            listed_output=True,
        ),
    }
    max_tokens: ClassVar = 512

    def texts(self, params: GenerationParams) -> dict[str, str]:
        texts = {"prompt": params.prompt}
        if params.guidance_scale > 0:
            texts["negative_prompt"] = params.negative_prompt
        return texts

    def count_tokens(self, pipe: Pipeline, text: str) -> int:
        told = pipe.tokenizer.apply_chat_template(
            [{"role": "user", "content": text}],
            tokenize=False,
            add_generation_prompt=True,
            enable_thinking=True,
        )
        return super().count_tokens(pipe, told)

    def encode(self, pipe: Pipeline, params: GenerationParams, device: torch.device) -> Embeds:
        positive, negative = pipe.encode_prompt(
            prompt=params.prompt,
            device=device,
            do_classifier_free_guidance=params.guidance_scale > 0,
            negative_prompt=params.negative_prompt,
            max_sequence_length=self.max_tokens,
        )
        return {"prompt_embeds": positive, "negative_prompt_embeds": negative}

    def to_vae(self, pipe: Pipeline, latents: Tensor, params: GenerationParams) -> Tensor:
        return shifted(pipe.vae, latents)
