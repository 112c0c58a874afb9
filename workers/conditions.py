"""What the encode stage hands to the denoiser: embeddings, pictures, and encoded pictures."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import torch
from PIL import Image as Images
from PIL.Image import Image
from torch import Tensor

from workers import blob as codec

Embeds = Mapping[str, Any]


@dataclass(frozen=True)
class Conditions:
    """Everything a request's denoising starts from, whatever its mode.

    `embeds` go to the pipeline's call by name. `image`, `mask` and `controls` are
    already of the job's size. `moments` are what the VAE's encoder made of each
    picture that the pipeline will ask it to encode, in that order, before any
    sampling: [1, 2 · latent channels, …]. `refiner` has embeddings of its own.
    `preview` are the weights of a `PreviewMap`, where a VAE was at hand.
    """

    embeds: Embeds
    image: Image | None = None
    mask: Image | None = None
    controls: tuple[Image, ...] = ()
    moments: tuple[Tensor, ...] = ()
    refiner: Embeds = field(default_factory=dict)
    preview: Tensor | None = None

    def dump(self) -> bytes:
        """As one blob."""
        return codec.dump(
            {
                "embeds": self.embeds,
                "image": _pixels(self.image),
                "mask": _pixels(self.mask),
                "controls": [_pixels(control) for control in self.controls],
                "moments": list(self.moments),
                "refiner": self.refiner,
                "preview": self.preview,
            }
        )

    @classmethod
    def load(cls, blob: bytes) -> Self:
        """The inverse of `dump`. Raises ArtifactMissing for a damaged or foreign blob."""
        values = codec.load(blob)
        return cls(
            embeds=values["embeds"],
            image=_picture(values["image"]),
            mask=_picture(values["mask"]),
            controls=tuple(Images.fromarray(each.numpy()) for each in values["controls"]),
            moments=tuple(values["moments"]),
            refiner=values["refiner"],
            preview=values["preview"],
        )


def _pixels(image: Image | None) -> Tensor | None:
    """uint8 [height, width, 3], or [height, width] of a mask."""
    return None if image is None else torch.from_numpy(np.array(image))


def _picture(pixels: Tensor | None) -> Image | None:
    return None if pixels is None else Images.fromarray(pixels.numpy())
