"""All options in the order they must be applied, and the two moments they are looked at."""

from collections.abc import Sequence
from typing import Final

from myriad.errors import ModelNotLoadable
from myriad.pool import Pool
from workers.device import Device
from workers.families.base import Family
from workers.options.compute import Attention, Compile, Tf32
from workers.options.linear import Linear
from workers.options.offload import GroupOffload
from workers.options.option import Option, Pipeline
from workers.options.picture import ChannelsLast, VaeSlicing, VaeTiling
from workers.options.weights import Fp8, Int8

# Layout before weights are packed, hooks that move weights before what is compiled around them.
OPTIONS: Final[Sequence[Option]] = (
    Tf32(),
    ChannelsLast(),
    Linear(),
    VaeSlicing(),
    VaeTiling(),
    Attention(),
    Int8(),
    Fp8(),
    GroupOffload(),
    Compile(),
)


def check_options(pool: Pool, device: Device) -> None:
    """Raise ConfigError for the first option this device cannot honour: at start, not at a job."""
    for option in OPTIONS:
        if option.is_wanted(pool):
            option.check(pool, device)


def apply_options(family: Family, pipe: Pipeline, pool: Pool, device: Device, model: str) -> None:
    """Do what the pool asks for. Raises ModelNotLoadable where it would have no effect."""
    for option in OPTIONS:
        if option.is_wanted(pool) and not option.apply(family, pipe, pool, device):
            raise ModelNotLoadable(
                f"model {model}: {option.name} of pool {pool.name} has no effect on it;"
                " leave it out of pools.toml or give the model another pool"
            )
