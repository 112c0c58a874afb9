"""Training pictures as cached latents: drawn and encoded once, in files of one size each."""

import logging
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from model.draw import draw
from model.parts import Vae
from model.scene import Scene, sample_scene
from model.vae import to_tensor

log = logging.getLogger(__name__)
#: (width, height) of every bucket, and how often training draws from it.
BUCKETS = {(128, 128): 0.56, (192, 128): 0.13, (128, 192): 0.13, (160, 160): 0.08, (96, 96): 0.1}
FILE_SCENES = 1024
ENCODE_BATCH = 32


@dataclass(frozen=True)
class LatentFile:
    """Scenes of one size, and their scaled latents (N, 4, height / 8, width / 8) in half floats."""

    scenes: list[Scene]
    latents: Tensor


def scenes_of(size: tuple[int, int], index: int, count: int) -> list[Scene]:
    """The scenes of file `index` of a bucket: always the same ones."""
    rng = random.Random(f"train {size} {index}")
    return [sample_scene(rng, "train", size, pair_share=0.55) for _ in range(count)]


def encode_file(vae: Vae, size: tuple[int, int], index: int) -> LatentFile:
    """Draw and encode the scenes of one file."""
    rng = random.Random(f"colours {size} {index}")
    scenes = scenes_of(size, index, FILE_SCENES)
    return LatentFile(scenes, encode(vae, [draw(scene, rng) for scene in scenes]))


@torch.no_grad()
def encode(vae: Vae, images: list[Image.Image]) -> Tensor:
    """Scaled latents (N, 4, height / 8, width / 8), in half floats, of images of one size."""
    latents = []
    for start in range(0, len(images), ENCODE_BATCH):
        pixels = np.stack([np.asarray(image) for image in images[start : start + ENCODE_BATCH]])
        with torch.autocast("cpu", torch.bfloat16):
            latents.append(vae.encode(to_tensor(pixels)).latent_dist.mean.float())
    scaled: Tensor = torch.cat(latents) * vae.config.scaling_factor
    return scaled.half()


def cache_latents(vae: Vae, folder: Path, files: int) -> None:
    """Write what is missing of `files` files, shared among the buckets, into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for size, share in BUCKETS.items():
        for index in range(max(1, round(files * share))):
            path = file_path(folder, size, index)
            if path.exists():
                continue
            partial = path.with_suffix(".partial")
            torch.save(encode_file(vae, size, index).latents, partial)
            partial.replace(path)
            log.info("cached %s", path.name)


class LatentCache:
    """Random batches of one bucket at a time from the cached files."""

    def __init__(self, folder: Path, rng: random.Random) -> None:
        self._folder = folder
        self._rng = rng
        self._files: dict[tuple[int, int], list[LatentFile]] = {size: [] for size in BUCKETS}
        self.refresh()

    def refresh(self) -> None:
        """Load the files that have been written since the last call."""
        for size, files in self._files.items():
            while (path := file_path(self._folder, size, len(files))).exists():
                latents = torch.load(path)
                files.append(LatentFile(scenes_of(size, len(files), len(latents)), latents))

    def batch(self, count: int) -> tuple[list[Scene], Tensor]:
        """`count` scenes of one bucket with latents of shape (count, 4, h, w)."""
        sizes = [size for size, files in self._files.items() if files]
        size = self._rng.choices(sizes, [BUCKETS[size] for size in sizes])[0]
        picks = []
        for _ in range(count):
            file = self._rng.choice(self._files[size])
            index = self._rng.randrange(len(file.scenes))
            picks.append((file.scenes[index], file.latents[index]))
        return [scene for scene, _ in picks], torch.stack([x for _, x in picks]).float()


def file_path(folder: Path, size: tuple[int, int], index: int) -> Path:
    """Where file `index` of a bucket lies."""
    return folder / f"{size[0]}x{size[1]}-{index:03}.pt"
