"""Denoiser weights in eight bits: stored so, computed with in the pool's wider type."""

from importlib.util import find_spec
from typing import Any, ClassVar

import torch

from myriad.errors import ConfigError
from myriad.pool import Pool
from workers.device import Device
from workers.families.base import Family
from workers.options.option import Pipeline, denoisers
from workers.options.size import stored_bytes


class Fp8:
    """Layerwise casting: float8_e4m3fn in memory, cast up layer by layer. Drifts visibly."""

    name: ClassVar = "precision fp8"

    def is_wanted(self, pool: Pool) -> bool:
        return pool.precision == "fp8"

    def check(self, pool: Pool, device: Device) -> None:
        """Any device that can cast up can do it."""
        torch.ones(1, device=device.torch_device).to(torch.float8_e4m3fn).to(device.dtype)

    def apply(self, family: Family, pipe: Pipeline, pool: Pool, device: Device) -> bool:
        return all(_shrinks(module, device, _cast) for module in denoisers(family, pipe))


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
        return all(_shrinks(module, device, _quantise) for module in denoisers(family, pipe))


def _shrinks(module: Any, device: Device, act: Any) -> bool:
    before = stored_bytes(module)
    act(module, device)
    return stored_bytes(module) < before


def _cast(module: Any, device: Device) -> None:
    module.enable_layerwise_casting(torch.float8_e4m3fn, compute_dtype=device.dtype)


def _quantise(module: Any, device: Device) -> None:
    from torchao.quantization import Int8WeightOnlyConfig, quantize_

    quantize_(module, Int8WeightOnlyConfig())
