"""Where a request stands in mid-denoise, so that another worker can go on bit for bit.

A pipeline cannot be entered in the middle. It is run again from its start with a
denoiser that answers zeros (`Request.is_skipping`), which keeps its generators in
phase; after the last step that was done before, latents and the scheduler's whole
state are put back over what that made of nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from myriad.errors import ArtifactMissing
from workers import blob as codec
from workers.denoising import Step

_ARRAY = "$array"
_PLAIN = (Tensor, bool, int, float, str, type(None))


@dataclass(frozen=True)
class Checkpoint:
    """After `done` of `total` steps: latents as the pipeline holds them, scheduler attributes.

    `device` is the kind of device it was made on: another kind rounds otherwise.
    """

    done: int
    total: int
    device: str
    latents: Tensor
    scheduler: Mapping[str, Any]

    @classmethod
    def of(cls, step: Step) -> Self:
        """Of where a request stands now."""
        state = {
            name: packed
            for name, value in vars(step.scheduler).items()
            if name != "_internal_dict" and (packed := _pack(value)) is not NotImplemented
        }
        return cls(step.done, step.total, step.latents.device.type, step.latents, state)

    def dump(self) -> bytes:
        """As one blob."""
        return codec.dump(vars(self))

    @classmethod
    def load(cls, blob: bytes | None) -> Self | None:
        """The inverse of `dump`; None for a blob that is torn, foreign or absent."""
        if blob is None:
            return None
        try:
            return cls(**codec.load(blob))
        except (ArtifactMissing, TypeError):
            return None

    def fits(self, step: Step) -> bool:
        """Whether a run like this one made it, on a device and in a precision like these."""
        ours, theirs = step.latents, self.latents
        return (self.total, self.device, theirs.shape, theirs.dtype) == (
            step.total,
            ours.device.type,
            ours.shape,
            ours.dtype,
        )

    def restore(self, step: Step) -> Tensor:
        """Put the scheduler back; returns the latents to go on with."""
        for name, packed in self.scheduler.items():
            now = getattr(step.scheduler, name, None)
            setattr(step.scheduler, name, _unpack(packed, now, step.latents.device))
        return self.latents.to(step.latents.device, step.latents.dtype)


def _pack(value: Any) -> Any:
    """`value` as the blob codec takes it, or NotImplemented for what is no state."""
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, np.ndarray):
        return {_ARRAY: torch.from_numpy(value.copy())}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, list | tuple):
        items = [_pack(item) for item in value]
        return NotImplemented if any(item is NotImplemented for item in items) else items
    return NotImplemented


def _unpack(packed: Any, now: Any, device: torch.device) -> Any:
    """The inverse of `_pack`; tensors go where the scheduler has the one they replace."""
    if isinstance(packed, Tensor):
        return packed.to(now.device if isinstance(now, Tensor) else device)
    if isinstance(packed, Mapping):
        return packed[_ARRAY].numpy()
    if isinstance(packed, list):
        items = [_unpack(item, None, device) for item in packed]
        return tuple(items) if isinstance(now, tuple) else items
    return packed
