"""What an option is: a wish in `pools.toml`, a check of the device, an act, and a look at it."""

from typing import Any, ClassVar, Protocol

from torch import nn

from myriad.pool import Pool
from workers.device import Device
from workers.families.base import Family

Pipeline = Any


class Option(Protocol):
    """Applied in the registry's order, right after a model is loaded.

    Its parts are on the device by then, but for those that options bring there (`placement`).
    """

    name: ClassVar[str]

    def is_wanted(self, pool: Pool) -> bool:
        """Whether the pool asks for it."""
        ...

    def check(self, pool: Pool, device: Device) -> None:
        """Raise ConfigError if the device cannot honour it."""
        ...

    def apply(self, family: Family, pipe: Pipeline, pool: Pool, device: Device) -> bool:
        """Do it to the parts that are loaded; False if a part it is meant for shows no effect."""
        ...


def denoisers(family: Family, pipe: Pipeline) -> list[nn.Module]:
    """The modules at which requests meet, as far as they are loaded here."""
    modules = [getattr(pipe, name, None) for name in family.meeting_points]
    return [module for module in modules if isinstance(module, nn.Module)]


def loaded_vae(pipe: Pipeline) -> Any | None:
    """The VAE if it is loaded here."""
    vae = getattr(pipe, "vae", None)
    return vae if isinstance(vae, nn.Module) else None
