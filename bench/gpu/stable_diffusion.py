"""SD 1.5 and SDXL: guidance is two rows of one forward."""

from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from bench.gpu.subject import Call, Subject


class StableDiffusion(Subject):
    """SD 1.5 with DPM++, one forward a step."""

    def build(self) -> None:
        self.vae = self.make(AutoencoderKL, "vae")
        self.denoiser = self.make(UNet2DConditionModel, "denoiser")
        self.text_encoder = self._clip(CLIPTextModel, "text_encoder")
        self.pipe = self._pipe()
        self.ready()

    def _pipe(self) -> Any:
        return StableDiffusionPipeline(
            vae=self.vae,
            text_encoder=self.text_encoder,
            tokenizer=None,
            unet=self.denoiser,
            scheduler=DPMSolverMultistepScheduler(**self._configs["scheduler"]),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )

    def noise(self, rows: int) -> Tensor:
        channels, side = self.pipe.unet.config.in_channels, self.pipe.vae_scale_factor
        return self.normal(rows, channels, self.case.height // side, self.case.width // side)

    def inputs(self, rows: int) -> Call:
        embeds = self.normal(rows, 77, self.pipe.unet.config.cross_attention_dim)
        named = {
            "encoder_hidden_states": embeds,
            "timestep_cond": None,
            "cross_attention_kwargs": None,
            "added_cond_kwargs": None,
            "return_dict": False,
        }
        return (self.noise(rows), self.timestep()), named

    def encode(self) -> dict[str, Tensor]:
        positive, negative = (self.text_encoder(self._tokens(self.text_encoder))[0] for _ in "+-")
        return {"prompt_embeds": positive, "negative_prompt_embeds": negative}

    def decode(self, latents: Tensor) -> Tensor:
        latents = latents.to(self.dtype) / self.pipe.vae.config.scaling_factor
        picture = self.pipe.vae.decode(latents, return_dict=False)[0]
        shown: Tensor = self.pipe.image_processor.postprocess(picture, output_type="pt")
        return shown

    def _clip(self, kind: Any, name: str) -> Any:
        with torch.device(self.device):
            model = kind(CLIPTextConfig(**self._configs[name]))
        return model.eval().requires_grad_(False).to(self.dtype)

    def _tokens(self, encoder: Any) -> Tensor:
        words = torch.randint(2, encoder.config.vocab_size - 2, (1, 77), device=self.device)
        words[:, -1] = encoder.config.eos_token_id
        return words


class StableDiffusionXL(StableDiffusion):
    """SDXL base with Euler and both of its text encoders."""

    def _pipe(self) -> Any:
        self.text_encoder_2 = self._clip(CLIPTextModelWithProjection, "text_encoder_2")
        return StableDiffusionXLPipeline(
            vae=self.vae,
            text_encoder=self.text_encoder,
            text_encoder_2=self.text_encoder_2,
            tokenizer=None,
            tokenizer_2=None,
            unet=self.denoiser,
            scheduler=EulerDiscreteScheduler(**self._configs["scheduler"]),
            add_watermarker=False,
        )

    def inputs(self, rows: int) -> Call:
        size = (self.case.height, self.case.width, 0, 0, self.case.height, self.case.width)
        conditions = {
            "text_embeds": self.normal(rows, self.text_encoder_2.config.projection_dim),
            "time_ids": torch.tensor([size] * rows, device=self.device, dtype=self.dtype),
        }
        positional, named = super().inputs(rows)
        return positional, named | {"added_cond_kwargs": conditions}

    def encode(self) -> dict[str, Tensor]:
        (positive, pooled), (negative, negative_pooled) = (self._prompt() for _ in "+-")
        return {
            "prompt_embeds": positive,
            "pooled_prompt_embeds": pooled,
            "negative_prompt_embeds": negative,
            "negative_pooled_prompt_embeds": negative_pooled,
        }

    def _prompt(self) -> tuple[Tensor, Tensor]:
        """Both encoders' last hidden states but one, side by side; the second's pooled output."""
        found = [
            encoder(self._tokens(encoder), output_hidden_states=True)
            for encoder in (self.text_encoder, self.text_encoder_2)
        ]
        return torch.cat([each.hidden_states[-2] for each in found], dim=-1), found[1].text_embeds
