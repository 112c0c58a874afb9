"""Options put on a pipeline as a worker puts them, and a picture drawn with them."""

from typing import Any

import torch

from myriad.job import Stage
from myriad.pool import Pool
from workers.device import open_device
from workers.families import find_family
from workers.options.registry import apply_options, check_options

SD = find_family("sd")


def pool_with(**options: Any) -> Pool:
    return Pool(name="tiny", stages=tuple(Stage), **options)


def put_on(pipe: Any, **options: Any) -> Pool:
    pool = pool_with(**options)
    device = open_device(pool)
    check_options(pool, device)
    apply_options(SD, pipe.to(device.dtype), pool, device, "sd")
    return pool


def draw(pipe: Any) -> torch.Tensor:
    """One picture's levels, 0 to 1."""
    with torch.no_grad():
        levels: torch.Tensor = pipe(
            "a red cat",
            num_inference_steps=2,
            height=24,
            width=16,
            generator=torch.Generator().manual_seed(3),
            output_type="pt",
        ).images
    return levels.float()
