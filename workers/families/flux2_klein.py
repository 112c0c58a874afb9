"""Flux.2 klein: Qwen3 reads the prompt; the VAE's statistics are part of what denoising ends in."""

from typing import Any, ClassVar

import torch
from diffusers import Flux2KleinPipeline
from torch import Tensor

from myriad.job import Stage
from myriad.mode import Mode
from myriad.params import GenerationParams
from workers.batching.call import CallSpec
from workers.conditions import Embeds
from workers.families.flow import FlowFamily
from workers.shell import Pipeline


class Flux2Klein(FlowFamily):
    """`guidance_scale` is classifier-free guidance, from above 1; distilled models ignore it.

    The pipeline's call takes no negative prompt but its embeddings, so it can have one.
    """

    pipelines: ClassVar = {Mode.TEXT_TO_IMAGE: Flux2KleinPipeline}
    components: ClassVar = {
        Stage.ENCODE: ("tokenizer", "text_encoder", "vae"),
        Stage.DENOISE: ("transformer", "scheduler"),
        Stage.DECODE: ("vae",),
    }
    meeting_points: ClassVar = {
        "transformer": CallSpec(same=frozenset({"img_ids", "txt_ids"})),
    }
    vae_buffers: ClassVar = ("bn.running_mean", "bn.running_var")
    max_tokens: ClassVar = 512

    def count_tokens(self, pipe: Pipeline, text: str) -> int:
        told = pipe.tokenizer.apply_chat_template(
            [{"role": "user", "content": text}],
            tokenize=False,
            add_generation_prompt=True,
            enable_thinking=False,
        )
        return super().count_tokens(pipe, told)

    def encode(self, pipe: Pipeline, params: GenerationParams, device: torch.device) -> Embeds:
        texts = self.texts(params)
        if pipe.config.is_distilled:
            texts.pop("negative_prompt", None)
        return {
            f"{field}_embeds": pipe.encode_prompt(
                prompt=text, device=device, max_sequence_length=self.max_tokens
            )[0]
            for field, text in texts.items()
        }

    def to_vae(self, pipe: Pipeline, latents: Tensor, params: GenerationParams) -> Tensor:
        """Packed as between steps, [rows, tokens, channels], or as the call leaves them."""
        if latents.ndim == 4:
            return latents
        side = 2 * pipe.vae_scale_factor
        height, width = params.height // side, params.width // side
        grid = latents.mT.reshape(len(latents), -1, height, width)
        whole: Tensor = pipe._unpatchify_latents(_unnormalised(pipe.vae, grid))
        return whole


def _unnormalised(vae: Any, latents: Tensor) -> Tensor:
    mean, var = (each.view(1, -1, 1, 1) for each in (vae.bn.running_mean, vae.bn.running_var))
    std = torch.sqrt(var + vae.config.batch_norm_eps)
    scaled: Tensor = latents * std.to(latents) + mean.to(latents)
    return scaled
