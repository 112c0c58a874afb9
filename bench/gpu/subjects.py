"""Which class builds which family."""

import torch

from bench.gpu.case import Case
from bench.gpu.stable_diffusion import StableDiffusion, StableDiffusionXL
from bench.gpu.subject import Subject
from bench.gpu.wan import Wan

_KINDS: dict[str, type[Subject]] = {
    "sd": StableDiffusion,
    "sdxl": StableDiffusionXL,
    "wan": Wan,
}


def subject(case: Case, device: torch.device, dtype: torch.dtype = torch.bfloat16) -> Subject:
    """The case's models, built on the device."""
    return _KINDS[case.family](case, device, dtype)
