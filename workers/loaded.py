"""A model in memory: its components for some stages, and the pipelines built around them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from myriad.model import Model
from myriad.params import GenerationParams
from workers.adapters.additions import Additions, Offer
from workers.device import Device
from workers.families.base import Family, Frames
from workers.options.offload import is_offloaded
from workers.options.size import stored_bytes
from workers.preview import PreviewMap
from workers.safety import Checked, SafetyChecker
from workers.shell import Pipeline, build_pipeline, with_part
from workers.vae_stand_in import VaeStandIn


@dataclass
class LoadedModel:
    """Used on the engine thread alone. `pipe` is of the class that the model's folder names."""

    model: Model
    family: Family
    pipe: Pipeline
    device: Device
    # Whether its weights may move: not where hooks or packed tensors hold them.
    can_wait: bool = True
    tiny_vae: torch.nn.Module | None = None
    safety_checker: SafetyChecker | None = None
    _pipelines: dict[Any, Pipeline] = field(default_factory=dict)
    _users: int = 0

    def __post_init__(self) -> None:
        self.offer(Offer())

    def offer(self, offer: Offer) -> None:
        """From now on requests may add this to the model."""
        self.additions = Additions(self.model, self.family, self.pipe, self.device, offer)

    @property
    def size_bytes(self) -> int:
        """What it takes now with all that was added, but for layers that wait elsewhere."""
        modules = [part for part in self._parts if _is_module(part) and not is_offloaded(part)]
        return sum(map(stored_bytes, modules)) + self.additions.size_bytes

    @property
    def decoder(self) -> torch.nn.Module | None:
        """What turns latents into pixels here."""
        vae = self.tiny_vae or getattr(self.pipe, "vae", None)
        return vae if isinstance(vae, torch.nn.Module) else None

    @property
    def decoding_pipe(self) -> Pipeline:
        """The pipeline as decoding sees it: with the tiny autoencoder if the pool has one."""
        return self.pipe if self.tiny_vae is None else with_part(self.pipe, "vae", self.tiny_vae)

    @property
    def is_in_use(self) -> bool:
        """Whether a request is at it."""
        return self._users > 0

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep it where it is until the block ends."""
        self._users += 1
        try:
            yield
        finally:
            self._users -= 1

    def leave(self) -> None:
        """Move to host memory; ControlNets are dropped."""
        self.additions.drop_controlnets()
        self._move(torch.device("cpu"))

    def come_back(self) -> None:
        """Move to the device."""
        self._move(self.device.torch_device)

    @property
    def _parts(self) -> tuple[Any, ...]:
        checker = self.safety_checker and self.safety_checker.module
        return (*self.pipe.components.values(), self.tiny_vae, checker)

    def checked(self, frames: Frames) -> Checked:
        """An image or video as it may leave."""
        checker = self.safety_checker
        return checker.check(frames) if checker else Checked(frames, is_flagged=False)

    def _move(self, device: torch.device) -> None:
        for part in self._parts:
            if _is_module(part):
                part.to(device)

    @property
    def vae_stand_in(self) -> VaeStandIn:
        """What denoising has in place of the VAE, whether that is loaded here or not."""
        vae = self.pipe.vae
        if isinstance(vae, VaeStandIn):
            return vae
        return VaeStandIn.of_module(vae, self.family.vae_buffers)

    @cached_property
    def preview_weights(self) -> Tensor | None:
        """Of a `PreviewMap` for this model's VAE, if that is loaded here."""
        vae = getattr(self.pipe, "vae", None) if self.family.has_previews else None
        return PreviewMap.fit(vae).weights if isinstance(vae, torch.nn.Module) else None

    def pipeline_for(self, params: GenerationParams) -> Pipeline:
        """The pipeline of the class that runs the request's mode, around the same components."""
        kind = self.family.kind(params)
        if isinstance(self.pipe, kind):
            return self.pipe
        if kind not in self._pipelines:
            # Which nets steer is each request's own affair.
            others = {"controlnet": None} if params.controlnets else {}
            self._pipelines[kind] = build_pipeline(kind, self.pipe, **others)
        return self._pipelines[kind]


def _is_module(part: object) -> bool:
    return isinstance(part, torch.nn.Module)
