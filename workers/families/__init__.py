"""The families this farm can run: one file and one line each."""

from collections.abc import Mapping
from typing import Final

from myriad.errors import ModelNotLoadable
from workers.families.base import Family
from workers.families.sd import StableDiffusion
from workers.families.sdxl import StableDiffusionXL

FAMILIES: Final[Mapping[str, Family]] = {
    "sd": StableDiffusion(),
    "sdxl": StableDiffusionXL(),
}


def find_family(name: str) -> Family:
    """The family of that name, or ModelNotLoadable listing those there are."""
    if name not in FAMILIES:
        raise ModelNotLoadable(f"no family {name!r}; there are: {', '.join(FAMILIES)}")
    return FAMILIES[name]
