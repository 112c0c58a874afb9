"""Noise schedulers a request may name, as diffusers names its classes."""

from typing import Final

DIFFUSION_SCHEDULERS: Final = (
    "DDIMScheduler",
    "DPMSolverMultistepScheduler",
    "DPMSolverSinglestepScheduler",
    "DEISMultistepScheduler",
    "EulerAncestralDiscreteScheduler",
    "EulerDiscreteScheduler",
    "HeunDiscreteScheduler",
    "KDPM2AncestralDiscreteScheduler",
    "KDPM2DiscreteScheduler",
    "LCMScheduler",
    "LMSDiscreteScheduler",
    "PNDMScheduler",
    "UniPCMultistepScheduler",
)
"""For models that predict noise or velocity."""

FLOW_SCHEDULERS: Final = ("FlowMatchEulerDiscreteScheduler",)
"""For models trained by flow matching."""

SCHEDULERS: Final = DIFFUSION_SCHEDULERS + FLOW_SCHEDULERS


def canonical_scheduler(name: str) -> str | None:
    """The diffusers class that `name` means, with or without the ending, in any case."""
    wanted = name.strip().lower().removesuffix("scheduler")
    return next(
        (full for full in SCHEDULERS if full.lower().removesuffix("scheduler") == wanted), None
    )
