"""Wan 2.1 and 2.2: videos, and pictures as videos of one frame."""

from typing import Any, ClassVar

import ftfy as _ftfy  # noqa: F401  the pipeline cleans prompts with it, but only if it is there
import torch
from diffusers import WanPipeline
from diffusers.pipelines.wan.pipeline_wan import prompt_clean
from torch import Tensor
from torch.nn.functional import pad

from myriad.job import Stage
from myriad.mode import Mode
from myriad.params import GenerationParams
from workers.batching.call import CallSpec
from workers.conditions import Embeds
from workers.families.video import VideoFamily
from workers.shell import Pipeline


class Wan(VideoFamily):
    """One transformer, or two that share the steps; both are guided alike."""

    pipelines: ClassVar = {Mode.TEXT_TO_VIDEO: WanPipeline, Mode.TEXT_TO_IMAGE: WanPipeline}
    components: ClassVar = {
        Stage.ENCODE: ("tokenizer", "text_encoder", "vae"),
        Stage.DENOISE: ("transformer", "transformer_2", "scheduler"),
        Stage.DECODE: ("vae",),
    }
    meeting_points: ClassVar = {"transformer": CallSpec(), "transformer_2": CallSpec()}
    max_tokens: ClassVar = 512

    def count_tokens(self, pipe: Pipeline, text: str) -> int:
        cleaned = prompt_clean(text)  # type: ignore[no-untyped-call]
        return super().count_tokens(pipe, cleaned)

    def encode(self, pipe: Pipeline, params: GenerationParams, device: torch.device) -> Embeds:
        positive, negative = pipe.encode_prompt(
            prompt=params.prompt,
            negative_prompt=params.negative_prompt or None,
            do_classifier_free_guidance=params.guidance_scale > 1,
            max_sequence_length=self.max_tokens,
            device=device,
        )
        embeds = {"prompt_embeds": positive, "negative_prompt_embeds": negative}
        return {name: _trimmed(value) for name, value in embeds.items()}

    def to_call(self, embeds: Embeds, params: GenerationParams) -> Embeds:
        whole = {name: _padded(value, self.max_tokens) for name, value in embeds.items()}
        return super().to_call(whole, params)

    def to_vae(self, pipe: Pipeline, latents: Tensor, params: GenerationParams) -> Tensor:
        shape = (1, -1, 1, 1, 1)
        mean = torch.tensor(pipe.vae.config.latents_mean).view(shape).to(latents)
        # Divided twice, as the pipeline does it: the last bit depends on that.
        inverse = 1.0 / torch.tensor(pipe.vae.config.latents_std).view(shape).to(latents)
        scaled: Tensor = latents / inverse + mean
        return scaled


def _trimmed(embeds: Any) -> Any:
    """[1, 512, width] → [1, tokens, width]: the rest are zeros, and some megabytes of them."""
    if embeds is None:
        return None
    [places] = embeds.ne(0).any(dim=2)[0].nonzero(as_tuple=True)
    return embeds[:, : max([1, *(places + 1).tolist()])]


def _padded(embeds: Any, tokens: int) -> Any:
    return embeds if embeds is None else pad(embeds, (0, 0, 0, tokens - embeds.shape[1]))
