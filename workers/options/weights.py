"""Denoiser weights in eight bits: kept so, computed with in the pool's wider type."""

from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from typing import Any, ClassVar

import torch
from torch import nn

from myriad.errors import ConfigError
from myriad.pool import Pool
from workers.device import Device
from workers.families.base import Family
from workers.options.option import Pipeline, denoisers
from workers.options.size import stored_bytes

Act = Callable[[nn.Module], None]


class Fp8:
    """Layerwise casting: float8_e4m3fn in memory, cast up layer by layer. Drifts visibly."""

    name: ClassVar = "precision fp8"

    def is_wanted(self, pool: Pool) -> bool:
        return pool.precision == "fp8"

    def check(self, pool: Pool, device: Device) -> None:
        """Any device that can cast up can do it."""
        torch.ones(1, device=device.torch_device).to(torch.float8_e4m3fn).to(device.dtype)

    def apply(self, family: Family, pipe: Pipeline, pool: Pool, device: Device) -> bool:
        return _shrink(denoisers(family, pipe), partial(_cast, device.dtype), _home(pool, device))


class Int8:
    """torchao's weight-only quantisation of the denoiser's linear layers."""

    name: ClassVar = "precision int8"

    def is_wanted(self, pool: Pool) -> bool:
        return pool.precision == "int8"

    def check(self, pool: Pool, device: Device) -> None:
        if not find_spec("torchao"):
            raise ConfigError(
                f"pool {pool.name}: precision int8 needs torchao: pip install torchao"
            )

    def apply(self, family: Family, pipe: Pipeline, pool: Pool, device: Device) -> bool:
        home = _home(pool, device)
        return _shrink(denoisers(family, pipe), partial(_quantise, home), home)


def _home(pool: Pool, device: Device) -> torch.device:
    """Where the weights will be kept: layers that are offloaded come to the device one by one."""
    return torch.device("cpu") if pool.offload != "none" else device.torch_device


def _shrink(modules: Sequence[nn.Module], act: Act, home: torch.device) -> bool:
    """`act` on modules that are still on the host, then bring them home; False if one is as big."""
    for module in modules:
        before = stored_bytes(module)
        act(module)
        if stored_bytes(module) >= before:
            return False
        module.to(home)
    return True


def _cast(dtype: torch.dtype, module: Any) -> None:
    module.enable_layerwise_casting(torch.float8_e4m3fn, compute_dtype=dtype)


def _quantise(home: torch.device, module: nn.Module) -> None:
    from torchao.quantization import Int8WeightOnlyConfig, quantize_

    # Layer by layer: each comes to the device, is made smaller, and stays.
    quantize_(module, Int8WeightOnlyConfig(), device=home)
