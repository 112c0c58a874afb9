"""Stable Diffusion XL."""

from tests.workers import tiny
from tests.workers.families.tiny.model import Tiny
from tests.workers.families.tiny.sd import KINDS, call

TINY = Tiny(save=tiny.save_sdxl, call=call, kinds=KINDS)
