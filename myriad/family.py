"""What doors must know of a family, without torch: what it can be asked for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from myriad.mode import Mode
from myriad.scheduler import DIFFUSION_SCHEDULERS, FLOW_SCHEDULERS, SCHEDULERS

# Windows of a CLIP encoder that a prompt may fill; each costs the denoiser attention.
PROMPT_WINDOWS: Final = 8

_FROM_TEXT: Final = frozenset({Mode.TEXT_TO_IMAGE})
_FROM_PICTURES: Final = _FROM_TEXT | {Mode.IMAGE_TO_IMAGE}
_ALL_PICTURES: Final = _FROM_PICTURES | {Mode.INPAINTING}
_FILM: Final = frozenset({Mode.TEXT_TO_VIDEO})


@dataclass(frozen=True)
class FamilyFacts:
    """One architecture line as a request sees it.

    Sizes are in steps of `size_multiple` pixels. `schedulers` are those its
    pipelines take; a model that names none gets `default_scheduler`. A family with
    `is_refiner` is never asked by itself: it finishes another model's pictures.
    A prompt may fill `prompt_windows` of the text encoder's windows.
    """

    modes: frozenset[Mode]
    controlnet_modes: frozenset[Mode] = frozenset()
    has_loras: bool = False
    takes_refiner: bool = False
    is_refiner: bool = False
    size_multiple: int = 8
    prompt_windows: int = 1
    schedulers: tuple[str, ...] = DIFFUSION_SCHEDULERS
    default_scheduler: str = "DPMSolverMultistepScheduler"


def _flow(
    modes: frozenset[Mode], *, has_loras: bool = False, size_multiple: int = 16
) -> FamilyFacts:
    return FamilyFacts(
        modes,
        has_loras=has_loras,
        size_multiple=size_multiple,
        schedulers=FLOW_SCHEDULERS,
        default_scheduler=FLOW_SCHEDULERS[0],
    )


FAMILIES: Final[Mapping[str, FamilyFacts]] = {
    "sd": FamilyFacts(
        _ALL_PICTURES,
        controlnet_modes=_ALL_PICTURES,
        has_loras=True,
        prompt_windows=PROMPT_WINDOWS,
    ),
    "sdxl": FamilyFacts(
        _ALL_PICTURES,
        controlnet_modes=_ALL_PICTURES,
        has_loras=True,
        takes_refiner=True,
        prompt_windows=PROMPT_WINDOWS,
    ),
    "sdxl-refiner": FamilyFacts(frozenset(), is_refiner=True),
    "sd3": _flow(_FROM_PICTURES, has_loras=True),
    "flux": _flow(_FROM_PICTURES, has_loras=True),
    "flux2-klein": _flow(_FROM_TEXT, has_loras=True),
    "qwen-image": _flow(_FROM_PICTURES, has_loras=True),
    "z-image": _flow(_FROM_PICTURES, has_loras=True),
    "wan": FamilyFacts(
        _FROM_TEXT | _FILM,
        size_multiple=16,
        schedulers=("UniPCMultistepScheduler", *FLOW_SCHEDULERS),
        default_scheduler="UniPCMultistepScheduler",
    ),
    "ltx": _flow(_FILM, size_multiple=32),
    # Which scheduler fits depends on the blocks that the model's folder names.
    "modular": FamilyFacts(
        _FROM_TEXT, schedulers=SCHEDULERS, default_scheduler="EulerDiscreteScheduler"
    ),
}
