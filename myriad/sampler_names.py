"""How AUTOMATIC1111 and ComfyUI call the noise schedulers of diffusers: the one table."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Sampler:
    """A sampler by all its names. `schedulers` are diffusers' classes, the first one first.

    A model trained by flow matching takes the second where it cannot take the first.
    """

    schedulers: tuple[str, ...]
    a1111: str
    a1111_aliases: tuple[str, ...] = ()
    comfyui: tuple[str, ...] = ()


SAMPLERS: Final = (
    Sampler(("DPMSolverMultistepScheduler",), "DPM++ 2M", ("k_dpmpp_2m",), ("dpmpp_2m",)),
    Sampler(
        ("DPMSolverSinglestepScheduler",),
        "DPM++ 2S",
        ("DPM++ 2S a", "k_dpmpp_2s_a"),
        ("dpmpp_2s_ancestral",),
    ),
    Sampler(
        ("EulerAncestralDiscreteScheduler",),
        "Euler a",
        ("k_euler_a", "k_euler_ancestral"),
        ("euler_ancestral",),
    ),
    Sampler(
        ("EulerDiscreteScheduler", "FlowMatchEulerDiscreteScheduler"),
        "Euler",
        ("k_euler",),
        ("euler",),
    ),
    Sampler(("LMSDiscreteScheduler",), "LMS", ("k_lms",), ("lms",)),
    Sampler(("HeunDiscreteScheduler",), "Heun", ("k_heun",), ("heun",)),
    Sampler(("KDPM2DiscreteScheduler",), "DPM2", ("k_dpm_2",), ("dpm_2",)),
    Sampler(
        ("KDPM2AncestralDiscreteScheduler",),
        "DPM2 a",
        ("k_dpm_2_a", "k_dpm_2_ancestral"),
        ("dpm_2_ancestral",),
    ),
    Sampler(("DDIMScheduler",), "DDIM", ("ddim",), ("ddim",)),
    Sampler(("PNDMScheduler",), "PLMS", ("plms",)),
    # diffusers' own solver is the second of the two that ComfyUI offers.
    Sampler(("UniPCMultistepScheduler",), "UniPC", ("unipc",), ("uni_pc", "uni_pc_bh2")),
    Sampler(("DEISMultistepScheduler",), "DEIS", (), ("deis",)),
    Sampler(("LCMScheduler",), "LCM", ("k_lcm",), ("lcm",)),
)


def a1111_name(scheduler: str) -> str:
    """What AUTOMATIC1111 calls the scheduler; its own name where that has none."""
    return next((each.a1111 for each in SAMPLERS if scheduler in each.schedulers), scheduler)


def find_a1111(name: str) -> Sampler | None:
    """The sampler of that AUTOMATIC1111 name or alias, in any case."""
    wanted = name.strip().lower()
    return next(
        (
            each
            for each in SAMPLERS
            if wanted in (known.lower() for known in (each.a1111, *each.a1111_aliases))
        ),
        None,
    )


def find_comfyui(name: str) -> Sampler | None:
    """The sampler of that ComfyUI name."""
    return next((each for each in SAMPLERS if name in each.comfyui), None)


def comfyui_names(schedulers: Iterable[str]) -> list[str]:
    """ComfyUI's names of all samplers that can be had with `schedulers`."""
    known = set(schedulers)
    return [name for each in SAMPLERS if known & set(each.schedulers) for name in each.comfyui]


def scheduler_for(sampler: Sampler, allowed: Collection[str]) -> str | None:
    """The diffusers class among `allowed` that does what the sampler does."""
    return next((name for name in sampler.schedulers if name in allowed), None)
