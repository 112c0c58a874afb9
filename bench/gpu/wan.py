"""Wan 2.1 text-to-video: guidance is two forwards a step."""

import torch
from diffusers import (
    AutoencoderKLWan,
    UniPCMultistepScheduler,
    WanPipeline,
    WanTransformer3DModel,
)
from torch import Tensor

from bench.gpu.subject import Call, Subject

WAN_TOKENS = 512


class Wan(Subject):
    """Wan 2.1 text-to-video with UniPC; embeddings are drawn, not encoded."""

    def build(self) -> None:
        self.vae = self.make(AutoencoderKLWan, "vae")
        self.denoiser = self.make(WanTransformer3DModel, "denoiser")
        self.pipe = WanPipeline(
            tokenizer=None,
            text_encoder=None,
            transformer=self.denoiser,
            vae=self.vae,
            scheduler=UniPCMultistepScheduler(**self._configs["scheduler"]),
        )
        self.ready()

    def noise(self, rows: int) -> Tensor:
        side, frames = self.pipe.vae_scale_factor_spatial, self.pipe.vae_scale_factor_temporal
        return self.normal(
            rows,
            self.pipe.transformer.config.in_channels,
            (self.case.num_frames - 1) // frames + 1,
            self.case.height // side,
            self.case.width // side,
        )

    def inputs(self, rows: int) -> Call:
        return (), {
            "hidden_states": self.noise(rows),
            "timestep": self.timestep().expand(rows),
            "encoder_hidden_states": self._embeds(rows),
            "attention_kwargs": None,
            "return_dict": False,
        }

    def encode(self) -> dict[str, Tensor]:
        return {"prompt_embeds": self._embeds(1), "negative_prompt_embeds": self._embeds(1)}

    def decode(self, latents: Tensor) -> Tensor:
        config, latents = self.pipe.vae.config, latents.to(self.dtype)
        mean, std = (
            torch.tensor(values, device=self.device, dtype=self.dtype).view(1, -1, 1, 1, 1)
            for values in (config.latents_mean, config.latents_std)
        )
        video = self.pipe.vae.decode(latents * std + mean, return_dict=False)[0]
        shown: Tensor = self.pipe.video_processor.postprocess_video(video, output_type="pt")
        return shown

    def _embeds(self, rows: int) -> Tensor:
        return self.normal(rows, WAN_TOKENS, self.pipe.transformer.config.text_dim)
