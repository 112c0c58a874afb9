"""Which components a pool's options bring to the device, rather than the one who loads them."""

from collections.abc import Mapping
from typing import Final

import torch

from myriad.pool import Pool
from workers.families.base import Family

# What a denoiser's weights become on the host first: in a wider type the device may lack the room.
EIGHT_BITS: Final[Mapping[str, torch.dtype]] = {"fp8": torch.float8_e4m3fn, "int8": torch.int8}

# Components by name, in the type that they will have there; None: layer by layer.
Placement = Mapping[str, torch.dtype | None]


def placement_of(family: Family, pool: Pool) -> Placement:
    """What the options of the pool see to."""
    if pool.offload != "none":
        return dict.fromkeys(family.meeting_points)
    if pool.precision in EIGHT_BITS:
        return dict.fromkeys(family.meeting_points, EIGHT_BITS[pool.precision])
    return {}
