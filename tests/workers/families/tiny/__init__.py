"""A tiny model of the real classes for each family: one module and one line each."""

from collections.abc import Mapping
from typing import Final

from tests.workers.families.tiny import (
    flux,
    flux2_klein,
    ltx,
    qwen_image,
    sd,
    sd3,
    sdxl,
    wan,
    z_image,
)
from tests.workers.families.tiny.model import Tiny

TINY: Final[Mapping[str, Tiny]] = {
    "sd": sd.TINY,
    "sdxl": sdxl.TINY,
    "sd3": sd3.TINY,
    "flux": flux.TINY,
    "flux2-klein": flux2_klein.TINY,
    "qwen-image": qwen_image.TINY,
    "z-image": z_image.TINY,
    "wan": wan.TINY,
    "ltx": ltx.TINY,
}
