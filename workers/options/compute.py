"""Options of the denoiser's arithmetic: TF32, attention kernels, compiled blocks."""

from typing import ClassVar

import torch

from myriad.errors import ConfigError
from myriad.pool import Pool
from workers.device import Device
from workers.error import short
from workers.families.base import Family
from workers.options.option import Pipeline, denoisers


class Tf32:
    """Matrix products of float32 in the tensor cores' 19 bits; the whole process has it."""

    name: ClassVar = "tf32"

    def is_wanted(self, pool: Pool) -> bool:
        return pool.tf32

    def check(self, pool: Pool, device: Device) -> None:
        if device.torch_device.type != "cuda" or _capability(device) < (8, 0):
            raise ConfigError(f"pool {pool.name}: tf32 needs an NVIDIA GPU of 2020 or later")
        if pool.precision != "fp32":
            raise ConfigError(f"pool {pool.name}: tf32 is for precision fp32")

    def apply(self, family: Family, pipe: Pipeline, pool: Pool, device: Device) -> bool:
        torch.backends.cuda.matmul.fp32_precision = "tf32"
        torch.backends.cudnn.conv.fp32_precision = "tf32"  # type: ignore[attr-defined]
        return bool(torch.backends.cuda.matmul.fp32_precision == "tf32")


class Attention:
    """One of diffusers' attention backends: `native`, `flash`, `_native_cudnn`, `sage` …"""

    name: ClassVar = "attention"

    def is_wanted(self, pool: Pool) -> bool:
        return bool(pool.attention)

    def check(self, pool: Pool, device: Device) -> None:
        from diffusers.models.attention_dispatch import (
            AttentionBackendName,
            _check_attention_backend_requirements,
        )

        try:
            _check_attention_backend_requirements(AttentionBackendName(pool.attention))
        except (ValueError, RuntimeError, ImportError) as error:
            raise ConfigError(
                f"pool {pool.name}: attention {pool.attention!r} cannot be used: {short(error)}"
            ) from error
        if device.torch_device.type == "cpu" and pool.attention not in ("native", "flex"):
            raise ConfigError(f"pool {pool.name}: attention {pool.attention!r} needs a GPU")

    def apply(self, family: Family, pipe: Pipeline, pool: Pool, device: Device) -> bool:
        modules = denoisers(family, pipe)
        for module in modules:
            module.set_attention_backend(pool.attention)  # type: ignore[operator]
        # A UNet's processors know nothing of backends, and do not say so.
        return all(_has_backend(module, pool.attention) for module in modules)


class Compile:
    """torch.compile of the denoiser's repeated blocks; artifacts are kept between processes."""

    name: ClassVar = "compile"

    def is_wanted(self, pool: Pool) -> bool:
        return pool.compile

    def check(self, pool: Pool, device: Device) -> None:
        if device.torch_device.type == "mps":
            raise ConfigError(f"pool {pool.name}: compile does not work on mps")
        # It needs a C++ compiler on a CPU, Triton and a C compiler elsewhere: it says so late.
        try:
            torch.compile(_doubled)(torch.ones(8, device=device.torch_device, dtype=device.dtype))
        except Exception as error:  # of its own, Triton's or a compiler's
            raise ConfigError(f"pool {pool.name}: compile fails here: {short(error)}") from error

    def apply(self, family: Family, pipe: Pipeline, pool: Pool, device: Device) -> bool:
        modules = denoisers(family, pipe)
        for module in modules:
            if not getattr(module, "_repeated_blocks", None):
                return False
            module.compile_repeated_blocks(dynamic=True)  # type: ignore[operator]
        return all(
            any(getattr(part, "_compiled_call_impl", None) for part in module.modules())
            for module in modules
        )


def _doubled(x: torch.Tensor) -> torch.Tensor:
    return x * 2


def _capability(device: Device) -> tuple[int, int]:
    return torch.cuda.get_device_capability(device.torch_device)


def _has_backend(module: torch.nn.Module, backend: str) -> bool:
    processors = (getattr(part, "processor", None) for part in module.modules())
    return any(getattr(each, "_attention_backend", None) == backend for each in processors)
