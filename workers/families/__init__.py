"""The families this farm can run: one file and one line each."""

from collections.abc import Mapping
from typing import Final

from myriad.errors import ModelNotLoadable
from workers.families.base import Family
from workers.families.flux import Flux
from workers.families.flux2_klein import Flux2Klein
from workers.families.ltx import LTX
from workers.families.modular import Modular
from workers.families.qwen_image import QwenImage
from workers.families.sd import StableDiffusion
from workers.families.sd3 import StableDiffusion3
from workers.families.sdxl import StableDiffusionXL
from workers.families.sdxl_refiner import StableDiffusionXLRefiner
from workers.families.wan import Wan
from workers.families.z_image import ZImage

FAMILIES: Final[Mapping[str, Family]] = {
    "sd": StableDiffusion(),
    "sdxl": StableDiffusionXL(),
    "sdxl-refiner": StableDiffusionXLRefiner(),
    "sd3": StableDiffusion3(),
    "flux": Flux(),
    "flux2-klein": Flux2Klein(),
    "qwen-image": QwenImage(),
    "z-image": ZImage(),
    "wan": Wan(),
    "ltx": LTX(),
    "modular": Modular(),
}


def find_family(name: str) -> Family:
    """The family of that name, or ModelNotLoadable listing those there are."""
    if name not in FAMILIES:
        raise ModelNotLoadable(f"no family {name!r}; there are: {', '.join(FAMILIES)}")
    return FAMILIES[name]
