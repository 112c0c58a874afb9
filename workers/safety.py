"""The safety checker: it looks at finished pictures and takes out what must not leave."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from PIL import Image as Images
from PIL.Image import Image
from transformers import CLIPImageProcessorPil

from myriad.model import Model
from workers.adapters.load_errors import load_errors
from workers.device import Device
from workers.families.base import Frames, finite, like
from workers.source import check_file, fetch, weights_bytes

_FRAMES = 8
_CHECKER, _PROCESSOR = "safety_checker", "feature_extractor"


class Checked(NamedTuple):
    """The frames of an image or video; blank ones if the checker took it out."""

    frames: Frames
    is_flagged: bool


@dataclass(frozen=True)
class SafetyChecker:
    """diffusers' StableDiffusionSafetyChecker with its CLIP image processor."""

    module: Any
    processor: Any

    @torch.no_grad()
    def check(self, frames: Frames) -> Checked:
        """Blank frames if one of them is flagged; of a video `_FRAMES` are looked at.

        Raises NonFiniteOutput rather than let pass what it could not judge.
        """
        seen = _spread(frames)
        pixels = self.processor(seen, return_tensors="pt").pixel_values
        blanks = [np.zeros((1, 1, 3))] * len(seen)  # it blackens what it is given
        _, flags = self.module(clip_input=like(self.module, pixels), images=blanks)
        if not any(flags):
            return Checked(frames, is_flagged=False)
        return Checked([Images.new("RGB", frame.size) for frame in frames], is_flagged=True)


def load_safety_checker(model: Model, device: Device) -> SafetyChecker:
    """The one that the catalogue names for `model`, on the device.

    Raises ModelNotLoadable, ModelUnavailable.
    """
    assert model.safety is not None
    with load_errors(model.safety):
        checker, processor = _folders(model)
        for file in (*checker.rglob("*"), *processor.rglob("*")):
            check_file(model.safety, file)
        module: Any = StableDiffusionSafetyChecker.from_pretrained(
            checker, dtype=device.dtype, use_safetensors=True, local_files_only=True
        )
        module.visual_projection.register_forward_hook(_demand_finite)
        return SafetyChecker(
            module.to(device.torch_device),
            CLIPImageProcessorPil.from_pretrained(processor, local_files_only=True),
        )


def safety_bytes(model: Model, device: Device) -> int:
    """What its weights take once loaded."""
    assert model.safety is not None
    with load_errors(model.safety):
        return weights_bytes(_folders(model)[0], ["."], device.dtype)


def _folders(model: Model) -> tuple[Path, Path]:
    """Where the checker and its image processor are: one folder, or those of a whole pipeline."""
    assert model.safety is not None
    parts = ("", f"{_CHECKER}/", f"{_PROCESSOR}/")
    names = ("config.json", "model*.safetensors", "preprocessor_config.json")
    folder = fetch(model.safety, [part + name for part in parts for name in names])
    if (folder / _CHECKER).is_dir():
        return folder / _CHECKER, folder / _PROCESSOR
    return folder, folder


def _spread(frames: Frames) -> Sequence[Image]:
    """At most `_FRAMES` of them, evenly over the whole, the first and the last included."""
    places = np.linspace(0, len(frames) - 1, min(len(frames), _FRAMES))
    return [frames[round(place)] for place in places]


def _demand_finite(module: torch.nn.Module, inputs: Any, output: torch.Tensor) -> None:
    finite(output, "safety embeddings")
