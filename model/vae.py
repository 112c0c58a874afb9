"""The autoencoder: trained on crops of scenes, one 4-channel latent for every 8x8 pixels."""

import logging
import math
import random
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import max_pool2d

from model.budget import Budget
from model.draw import draw
from model.optimizer import MuonAdamW
from model.parts import Vae, diffusers
from model.scene import sample_scene

log = logging.getLogger(__name__)
Pixels = NDArray[np.uint8]
CROP = 64
BATCH = 32


def build_vae() -> Vae:
    """A 0.94 M-parameter AutoencoderKL: f = 8, 4 latent channels, no attention."""
    return diffusers.AutoencoderKL(
        block_out_channels=(16, 32, 64, 64),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        norm_num_groups=8,
        latent_channels=4,
        sample_size=128,
        mid_block_add_attention=False,
    )


def to_tensor(image: Pixels) -> Tensor:
    """uint8 pixels (..., H, W, 3) as floats in -1..1 of shape (..., 3, H, W)."""
    return torch.from_numpy(image).movedim(-1, -3).float() / 127.5 - 1


def crop_batch(rng: random.Random, count: int = BATCH) -> Tensor:
    """Windows of fresh scenes, mostly across an edge; shape (count, 3, CROP, CROP)."""
    crops: list[Pixels] = []
    while len(crops) < count:
        scene = sample_scene(rng)
        pixels = np.asarray(draw(scene, rng))
        thing = rng.choice(scene.things)
        left = _window(rng, thing.x * scene.width, scene.width)
        top = _window(rng, thing.y * scene.height, scene.height)
        crops.append(pixels[top : top + CROP, left : left + CROP])
    return to_tensor(np.stack(crops))


def _window(rng: random.Random, centre: float, length: int) -> int:
    """Where a crop starts so that it lies in the image and its middle is near `centre`."""
    start = round(centre - CROP / 2 + rng.uniform(-24, 24))
    return max(0, min(length - CROP, start))


def loss_of(vae: Vae, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Reconstruction + gradient + KL loss, and the plain mean squared error for the log."""
    posterior = vae.encode(pixels).latent_dist
    mean, logvar = posterior.mean.float(), posterior.logvar.float()
    latents = mean + torch.exp(0.5 * logvar) * torch.randn_like(mean)
    restored = vae.decode(latents).sample.float()
    error = restored - pixels
    weight = 1 + 3 * _edges(pixels)
    slope_x = (error[..., :, 1:] - error[..., :, :-1]).abs().mean()
    slope_y = (error[..., 1:, :] - error[..., :-1, :]).abs().mean()
    kl = 0.5 * (mean.square() + logvar.exp() - 1 - logvar).mean()
    loss = (
        (weight * error.abs()).mean()
        + (weight * error.square()).mean()
        + 0.5 * (slope_x + slope_y)
        + 4e-4 * kl
    )
    return loss, error.square().mean()


def _edges(pixels: Tensor) -> Tensor:
    """1 within two pixels of a colour edge, else 0; shape (N, 1, H, W)."""
    high = max_pool2d(pixels, 5, stride=1, padding=2)
    low = -max_pool2d(-pixels, 5, stride=1, padding=2)
    return ((high - low).amax(1, keepdim=True) > 0.2).float()


def train_vae(folder: Path, minutes: float, lr: float = 4e-3) -> None:
    """Train for `minutes` and save the autoencoder, with its scaling factor, under `folder`."""
    torch.manual_seed(1)
    rng = random.Random("vae")
    vae, budget = build_vae(), Budget(minutes * 60)
    optimizer = MuonAdamW(vae, lr)
    step = 0
    while not budget.is_over:
        with torch.autocast("cpu", torch.bfloat16):
            loss, squared = loss_of(vae, crop_batch(rng))
        torch.autograd.backward(loss)
        optimizer.step(budget.lr(lr, decay_from=0.3))
        step += 1
        if step % 50 == 0:
            psnr = 10 * math.log10(4 / squared.item())
            log.info("vae %.0f s step %d loss %.4f PSNR %.1f", budget.spent_s, step, loss, psnr)
    _save(vae, folder)


def _save(vae: Vae, folder: Path) -> None:
    """Save the autoencoder with the scaling factor that gives its latents unit variance."""
    rng = random.Random("scaling")
    pixels = np.stack([np.asarray(draw(sample_scene(rng), rng)) for _ in range(64)])
    with torch.no_grad():
        latents = vae.encode(to_tensor(pixels)).latent_dist.mean
    vae.register_to_config(scaling_factor=round(1 / latents.std().item(), 4))
    vae.save_pretrained(folder)
