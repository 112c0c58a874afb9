"""What flows along a graph's links: plans of a picture, never pictures."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Weights:
    """MODEL, CLIP or VAE: parts of one checkpoint, perhaps with LoRAs (name, weight)."""

    checkpoint: str
    loras: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class File:
    """IMAGE from a file that was handed in. `size` is what a node scaled it to, in pixels."""

    digest: str
    size: tuple[int, int] | None = None


@dataclass(frozen=True)
class Mask:
    """MASK: one channel (`R`, `G`, `B`, or `L` of grey) of a file; white is drawn anew."""

    digest: str
    channel: str = "L"
    is_inverted: bool = False
    grow_px: int = 0


@dataclass(frozen=True)
class Control:
    """A ControlNet, the file it follows, and how closely."""

    net: str
    image: File
    strength: float


@dataclass(frozen=True)
class Words:
    """CONDITIONING: a text for a checkpoint, and what else guides."""

    text: str
    clip: Weights
    controls: tuple[Control, ...] = ()


@dataclass(frozen=True)
class Canvas:
    """LATENT before sampling: an empty one of a size in pixels, or a file to change."""

    size: tuple[int, int] | None = None
    batch: int = 1
    image: File | None = None
    mask: Mask | None = None
    vae: Weights | None = None


@dataclass(frozen=True)
class Sampled:
    """LATENT after sampling; as an IMAGE, that latent decoded. `values` are ours."""

    node: str
    values: dict[str, Any] = field(hash=False)
    checkpoint: str = ""
    image: File | None = None
    mask: Mask | None = None
    controls: tuple[Control, ...] = ()
