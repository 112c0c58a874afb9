"""What a graph may choose from on this farm: the lists behind ComfyUI's drop-downs."""

from dataclasses import dataclass

from myriad.catalog import Catalog
from myriad.sampler_names import comfyui_names
from myriad.scheduler import SCHEDULERS

SPACINGS = ("normal", "simple")
"""ComfyUI's schedulers, that is spacings of noise levels: every model has its own here."""


@dataclass(frozen=True)
class Offer:
    """Names by the kind of thing they name."""

    checkpoints: tuple[str, ...]
    loras: tuple[str, ...]
    controlnets: tuple[str, ...]
    samplers: tuple[str, ...]
    spacings: tuple[str, ...] = SPACINGS
    files: tuple[str, ...] = ()
    none: tuple[str, ...] = ()

    def names(self, kind: str) -> tuple[str, ...]:
        """All of one kind."""
        found: tuple[str, ...] = getattr(self, kind)
        return found


def offer_of(catalog: Catalog) -> Offer:
    """What the catalogue has."""
    return Offer(
        checkpoints=tuple(catalog),
        loras=tuple(catalog.loras),
        controlnets=tuple(catalog.controlnets),
        samplers=tuple(comfyui_names(SCHEDULERS)),
    )
