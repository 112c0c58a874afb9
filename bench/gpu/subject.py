"""A real pipeline with random weights, cut into the three stages of a job."""

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from bench.gpu.case import Case
from bench.gpu.config import configs

Call = tuple[tuple[Any, ...], dict[str, Any]]
"""Positional and named arguments."""

SEED = 0


class Subject(ABC):
    """One case on one device. `denoiser` is the part that runs at every step."""

    pipe: Any
    denoiser: nn.Module
    vae: nn.Module

    def __init__(self, case: Case, device: torch.device, dtype: torch.dtype) -> None:
        torch.manual_seed(SEED)
        self.case, self.device, self.dtype = case, device, dtype
        self._configs = configs(case.family, case.is_tiny)
        self.build()

    @abstractmethod
    def build(self) -> None:
        """Make `pipe`, `denoiser` and `vae`."""

    @abstractmethod
    def noise(self, rows: int) -> Tensor:
        """Latents of `rows` pictures."""

    @abstractmethod
    def inputs(self, rows: int) -> Call:
        """One forward of the denoiser, called exactly as the pipeline calls it.

        Exactly, because torch.compile makes a program of its own for each way of calling.
        """

    @abstractmethod
    def encode(self) -> dict[str, Tensor]:
        """Prompt and negative prompt as the pipeline's embeddings arguments."""

    @abstractmethod
    def decode(self, latents: Tensor) -> Tensor:
        """Latents to pictures in 0..1."""

    def denoise(self, embeds: dict[str, Tensor], steps: int) -> Tensor:
        """The stock pipeline from embeddings to latents; the same noise every time."""
        extra = {"num_frames": self.case.num_frames} if self.case.family == "wan" else {}
        latents: Tensor = self.pipe(
            **embeds,
            **extra,
            height=self.case.height,
            width=self.case.width,
            num_inference_steps=steps,
            guidance_scale=self.case.guidance_scale,
            generator=torch.Generator(self.device).manual_seed(SEED),
            output_type="latent",
            return_dict=False,
        )[0]
        return latents

    def make(self, kind: Any, name: str) -> Any:
        """A diffusers model in our dtype, but for what its class keeps in float32."""
        with torch.device(self.device):
            model = kind.from_config(self._configs[name]).eval().requires_grad_(False)
        keep = model._keep_in_fp32_modules or ()  # what from_pretrained(dtype=…) heeds
        for parameter_name, parameter in model.named_parameters():
            if not any(part in keep for part in parameter_name.split(".")):
                parameter.data = parameter.data.to(self.dtype)
        return model

    def normal(self, *shape: int) -> Tensor:
        """Random numbers of our dtype."""
        return torch.randn(shape, device=self.device, dtype=self.dtype)

    def timestep(self) -> Tensor:
        """The scheduler's own first timestep, a 0-d tensor on the device."""
        self.pipe.scheduler.set_timesteps(self.case.steps)
        first: Tensor = self.pipe.scheduler.timesteps[0].to(self.device)
        return first

    def ready(self) -> None:
        """What both sides of the comparison share: no progress bar."""
        self.pipe.set_progress_bar_config(disable=True)
