"""A model of the catalogue that is on this machine: its weights, and its calls as traced."""

from collections.abc import Collection, Mapping
from functools import cached_property
from pathlib import Path
from typing import Final, NamedTuple

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import LocalEntryNotFoundError

from myriad.job import Stage
from myriad.model import Model
from myriad.pool import Pool
from workers.device import Device
from workers.families import find_family
from workers.memory.example import Example, ExamplePipeline
from workers.memory.row_memory import RowMemory
from workers.options.placement import EIGHT_BITS
from workers.source import weights_bytes

# What the denoiser's weights are kept in, and those of all else.
_PRECISIONS: Final[Mapping[str, tuple[torch.dtype, torch.dtype]]] = {
    "fp32": (torch.float32, torch.float32),
    "fp16": (torch.float16, torch.float16),
    "bf16": (torch.bfloat16, torch.bfloat16),
    **{name: (own, torch.bfloat16) for name, own in EIGHT_BITS.items()},
}


class Size(NamedTuple):
    """What is drawn, in pixels and frames."""

    width: int
    height: int
    num_frames: int = 1


class LocalModel:
    """A catalogue entry whose folder is here; what was traced is kept."""

    def __init__(self, model: Model, folder: Path) -> None:
        self.model = model
        self.folder = folder
        self._pipelines: dict[Setting, ExamplePipeline] = {}
        self._examples: dict[tuple[Setting, Size], Mapping[Stage, Example]] = {}
        self._memories: dict[tuple[Setting, Size, Stage], RowMemory] = {}

    @cached_property
    def weights(self) -> Mapping[str, Mapping[str, int]]:
        """Bytes by stage and precision. Raises StageError for an unknown family."""
        return {
            stage.value: {name: self.weights_of((stage,), name) for name in _PRECISIONS}
            for stage in Stage
        }

    def weights_of(
        self, stages: Collection[Stage], precision: str, *, is_offloaded: bool = False
    ) -> int:
        """Bytes of what a pool that serves `stages` keeps on its device; 8 bits: denoisers only.

        With `is_offloaded` denoisers wait elsewhere.
        """
        family = find_family(self.model.family)
        waiting = set(family.meeting_points) if is_offloaded else set()
        parts = {part for stage in stages for part in family.components[stage]} - waiting
        own, others = _PRECISIONS[precision]
        return sum(
            weights_bytes(self.folder, (part,), own if part in family.meeting_points else others)
            for part in parts
        )

    def example(self, stage: Stage, size: Size, setting: "Setting") -> Example:
        """One call of the stage's model. Raises NotTraceable."""
        if (setting, size) not in self._examples:
            if setting not in self._pipelines:
                self._pipelines[setting] = ExamplePipeline(self.folder, *setting)
            step, decode = self._pipelines[setting].record(size.height, size.width, size.num_frames)
            self._examples[setting, size] = {Stage.DENOISE: step, Stage.DECODE: decode}
        return self._examples[setting, size][stage]

    def row_memory(self, stage: Stage, size: Size, setting: "Setting") -> RowMemory:
        """Of one call of the stage's model. Raises NotTraceable."""
        key = (setting, size, stage)
        if key not in self._memories:
            self._memories[key] = self.example(stage, size, setting).row_memory()
        return self._memories[key]

    def setting(self, pool: Pool, device: Device) -> "Setting":
        """How that pool runs this model."""
        flags = {"slicing": pool.vae_slicing, "tiling": pool.vae_tiling}
        tiny = None
        if pool.tiny_vae and self.model.tiny_vae:
            tiny = find_folder(self.model.tiny_vae, self.model.tiny_vae_revision)
        on = tuple(name for name, is_on in flags.items() if is_on)
        return Setting(device.dtype, on, tiny)


class Setting(NamedTuple):
    """What of a pool changes a model's calls: see ExamplePipeline."""

    dtype: torch.dtype
    vae_flags: tuple[str, ...] = ()
    vae_folder: Path | None = None


def find_folder(source: str, revision: str) -> Path | None:
    """Where a model lies on this machine: its folder, or what was downloaded of it."""
    if (folder := Path(source)).is_dir():
        return folder
    try:
        return Path(snapshot_download(source, revision=revision, local_files_only=True))
    except (LocalEntryNotFoundError, ValueError, OSError):
        return None


def sizes_of(model: Model, asked: Size | None, *, is_quick: bool) -> tuple[Size, ...]:
    """The size that was asked for, else the model's default and the largest it offers."""
    usual = Size(model.defaults.width, model.defaults.height, model.defaults.num_frames)
    if asked is not None or is_quick:
        return (asked or usual,)
    limits = model.limits
    side = min(limits.max_size, int(limits.max_pixels**0.5))
    side -= side % limits.size_multiple
    return tuple(dict.fromkeys((usual, Size(side, side, usual.num_frames))))
