"""LTX-Video: its VAE's decoder takes a last denoising step of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Final

import torch
from diffusers import LTXPipeline
from torch import Tensor

from myriad.errors import ModelNotLoadable
from myriad.job import Stage
from myriad.mode import Mode
from myriad.params import GenerationParams
from workers.batching.call import CallSpec
from workers.conditions import Embeds
from workers.families.base import Frames, finite
from workers.families.video import VideoFamily
from workers.shell import Pipeline

# What diffusers' guide to LTX-Video recommends for VAEs that know of time (0.9.1 and later).
DECODE_TIMESTEP: Final = 0.05
DECODE_NOISE_SCALE: Final = 0.025


class LTX(VideoFamily):
    pipelines: ClassVar = {Mode.TEXT_TO_VIDEO: LTXPipeline}
    components: ClassVar = {
        Stage.ENCODE: ("tokenizer", "text_encoder", "vae"),
        Stage.DENOISE: ("transformer", "scheduler"),
        Stage.DECODE: ("vae",),
    }
    meeting_points: ClassVar = {"transformer": CallSpec()}
    # It may draw from the process's own generator, which is one job's for as long as it runs.
    decoder: ClassVar = None
    vae_buffers: ClassVar = ("latents_mean", "latents_std")
    max_tokens: ClassVar = 128

    def encode(self, pipe: Pipeline, params: GenerationParams, device: torch.device) -> Embeds:
        positive, mask, negative, negative_mask = pipe.encode_prompt(
            prompt=params.prompt,
            negative_prompt=params.negative_prompt or None,
            do_classifier_free_guidance=params.guidance_scale > 1,
            device=device,
        )
        return {
            "prompt_embeds": positive,
            "prompt_attention_mask": mask,
            "negative_prompt_embeds": negative,
            "negative_prompt_attention_mask": negative_mask,
        }

    def arguments(self, params: GenerationParams) -> dict[str, Any]:
        values = super().arguments(params)
        return values if params.fps is None else {**values, "frame_rate": params.fps}

    def to_vae(self, pipe: Pipeline, latents: Tensor, params: GenerationParams) -> Tensor:
        """[1, tokens, channels] → [1, channels, frames, height, width], at their own scale."""
        vae = pipe.vae
        patch, patch_t = pipe.transformer_spatial_patch_size, pipe.transformer_temporal_patch_size
        if latents.shape[-1] != vae.config.latent_channels * patch_t * patch**2:
            # Without its transformer a pipeline takes its patches to be 1 × 1 × 1.
            raise ModelNotLoadable("its transformer has patches: let one pool denoise and decode")
        unpacked = pipe._unpack_latents(
            latents,
            (params.num_frames - 1) // vae.temporal_compression_ratio + 1,
            params.height // vae.spatial_compression_ratio,
            params.width // vae.spatial_compression_ratio,
            patch,
            patch_t,
        )
        scaled: Tensor = pipe._denormalize_latents(
            unpacked, vae.latents_mean, vae.latents_std, vae.config.scaling_factor
        )
        return scaled

    def decode(self, pipe: Pipeline, latents: Tensor, params: GenerationParams) -> Iterator[Frames]:
        vae = pipe.vae
        for latent, seed in zip(latents.chunk(len(latents)), params.seeds, strict=True):
            ready = self.to_vae(pipe, latent.to(vae.device), params).to(vae.dtype)
            time = None
            if vae.config.timestep_conditioning:
                time = torch.tensor([DECODE_TIMESTEP], device=vae.device, dtype=vae.dtype)
                ready = _noised(ready, seed)
            with _seeded(seed, vae.device):
                pixels = vae.decode(ready, time, return_dict=False)[0]
            yield self.frames(pipe, finite(pixels, "pixels"))


def _noised(latents: Tensor, seed: int) -> Tensor:
    """A little noise, drawn as the pipeline would: the second draw of the job's generator.

    The first were the latents that denoising began with. As its schedulers draw
    nothing, the generator need not travel: it is brought here by drawing again.
    """
    generator = torch.Generator("cpu").manual_seed(seed)
    torch.randn(latents.shape, generator=generator)
    noise = torch.randn(latents.shape, generator=generator, dtype=latents.dtype)
    scale = torch.tensor(DECODE_NOISE_SCALE, device=latents.device, dtype=latents.dtype)
    return (1 - scale) * latents + scale * noise.to(latents.device)


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Some decoders add noise from the process's own generator: the job's seed decides on it."""
    # The state of Apple's generator is not had by device; nobody else draws from it anyway.
    forked = [] if device.type in ("cpu", "mps") else [device]
    with torch.random.fork_rng(forked, device_type=device.type):
        torch.manual_seed(seed)
        yield
