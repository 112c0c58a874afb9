"""Small pictures of unfinished latents: a linear map from latent channels to colours.

The map is fitted to the model's own VAE, so no table of factors per family is
needed: its encoder is shown synthetic pictures whose mean colours are known.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import torch
from PIL import Image as Images
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, interpolate

from myriad.params import GenerationParams
from workers.families.base import Family
from workers.shell import Pipeline

PREVIEW_PX = 256
_PICTURES = 4
_CORNER = 0.9
_SIDE_PX = 64
_RIDGE = 1e-3


@dataclass(frozen=True)
class PreviewMap:
    """`weights` [channels + 1, 3]: colours −1…1 of a latent with a 1 appended."""

    weights: Tensor

    @classmethod
    def fit(cls, vae: Any) -> Self:
        """Least squares over what `vae` encodes; some forward passes of its encoder."""
        pixels = _synthetic_pictures().to(vae.device, vae.dtype)
        encoded = [_encode(vae, row) for row in pixels.chunk(len(pixels))]
        latents = torch.cat(encoded).float().cpu()
        colours = adaptive_avg_pool2d(pixels.float().cpu(), (latents.shape[-2], latents.shape[-1]))
        known, wanted = _flat(latents), colours.movedim(1, -1).reshape(-1, 3)
        known = torch.cat([known, torch.ones(len(known), 1)], 1)
        gram = known.T @ known + _RIDGE * len(known) * torch.eye(known.shape[1])
        return cls(torch.linalg.solve(gram, known.T @ wanted))

    def draw(self, latents: Tensor, width: int, height: int) -> bytes:
        """A JPEG of the first row of `latents`, which are as the VAE's decoder takes them.

        Of a video it is the middle frame. At most `PREVIEW_PX` on the long side, in the
        proportions of `width` and `height`.
        """
        latent = latents[0].float().cpu()
        if latent.ndim == 4:
            latent = latent[:, latent.shape[1] // 2]
        colours = _flat(latent[None]) @ self.weights[:-1] + self.weights[-1]
        levels = ((colours.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
        small = Images.fromarray(levels.reshape(*latent.shape[-2:], 3).numpy())
        scale = min(1.0, PREVIEW_PX / max(width, height))
        size = max(1, round(width * scale)), max(1, round(height * scale))
        buffer = io.BytesIO()
        small.resize(size, Images.Resampling.BICUBIC).save(buffer, "JPEG", quality=80)
        return buffer.getvalue()


def drawer(
    family: Family, pipe: Pipeline, params: GenerationParams, weights: Tensor | None
) -> Callable[[Tensor], bytes] | None:
    """What makes a preview of a request's latents, as its denoiser has them; None without a map."""
    if weights is None or not family.has_previews:
        return None
    preview = PreviewMap(weights)

    def draw(latents: Tensor) -> bytes:
        readable = family.to_vae(pipe, latents[:1], params)
        return preview.draw(readable, params.width, params.height)

    return draw


def _encode(vae: Any, pixels: Tensor) -> Tensor:
    """[1, 3, side, side] → [1, channels, …], also of a VAE for video."""
    is_video = any(isinstance(each, torch.nn.Conv3d) for each in vae.modules())
    mean: Tensor = vae.encode(pixels.unsqueeze(2) if is_video else pixels).latent_dist.mode()
    return mean[:, :, 0] if mean.ndim == 5 else mean


def _flat(latents: Tensor) -> Tensor:
    """[rows, channels, height, width] → [rows · height · width, channels]."""
    return latents.movedim(1, -1).reshape(-1, latents.shape[1])


def _synthetic_pictures() -> Tensor:
    """[n, 3, side, side] in −1…1: soft colour fields, blocks of colour, and plain pictures.

    The plain ones are the corners of the colour cube: a small VAE has them far from linear,
    and without them it is shown too pale.
    """
    generator = torch.Generator().manual_seed(0)
    fields = torch.rand(_PICTURES, 3, 4, 4, generator=generator) * 2 - 1
    size = (_SIDE_PX, _SIDE_PX)
    soft = interpolate(fields, size, mode="bilinear", align_corners=True)
    hard = interpolate(fields, size, mode="nearest")
    is_soft = torch.arange(_PICTURES).view(-1, 1, 1, 1) % 2 == 0
    ends = torch.tensor([-_CORNER, _CORNER])
    plain = torch.cartesian_prod(ends, ends, ends)[:, :, None, None].expand(-1, -1, *size)
    return torch.cat([torch.where(is_soft, soft, hard), plain])
