"""Option of linear layers on a CPU: oneDNN's kernels in place of the BLAS that torch is built with.

MKL takes no AVX-512 on processors of another maker: on an AMD EPYC of 2025 a float32 product runs
at 100 GFLOP/s a core with it and at 220 with oneDNN. torch goes to oneDNN by itself only for the
narrower types.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Final

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from myriad.errors import ConfigError
from myriad.pool import Pool
from workers.device import Device
from workers.families.base import Family
from workers.options.option import Pipeline

_CPUINFO: Final = Path("/proc/cpuinfo")
_AMD: Final = "AuthenticAMD"
# Below that the dozen microseconds that oneDNN takes to begin are more than it spares.
_LEAST_PRODUCTS: Final = 1_200_000


class OneDnnLinear(nn.Linear):
    """A linear layer whose float32 products are oneDNN's. Without gradients."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002, the name torch gives it
        weight, bias = self.weight, self.bias
        is_large = input.numel() * self.out_features >= _LEAST_PRODUCTS
        if is_large and input.dtype is weight.dtype is torch.float32:
            return _product()(input, weight, bias, "none", [], "")
        return linear(input, weight, bias)


class Linear:
    """`onednn`, or `auto`: on AMD's processors where it can be had. The same at every start."""

    name: ClassVar = "linear"

    def is_wanted(self, pool: Pool) -> bool:
        return pool.linear == "onednn" or (pool.linear == "auto" and is_amd())

    def check(self, pool: Pool, device: Device) -> None:
        if pool.linear == "auto":
            return
        if not _is_for(device):
            raise ConfigError(f"pool {pool.name}: linear onednn is for a CPU and precision fp32")
        if not has_onednn():
            raise ConfigError(f"pool {pool.name}: this torch is built without oneDNN")

    def apply(self, family: Family, pipe: Pipeline, pool: Pool, device: Device) -> bool:
        if pool.linear == "auto" and not (_is_for(device) and has_onednn()):
            return True
        layers = [layer for module in _modules(pipe) for layer in module.modules()]
        plain = [layer for layer in layers if isinstance(layer, nn.Linear)]
        for layer in plain:
            # Exactly that class: what extends it has ways of its own.
            if type(layer) is nn.Linear:
                layer.__class__ = OneDnnLinear  # the weights, hooks and names stay as they are
        return not plain or any(isinstance(layer, OneDnnLinear) for layer in plain)


@cache
def _product() -> Callable[..., Tensor]:
    """The operator itself: to find it by its name at each call takes as long as a small product."""
    operator: Callable[..., Tensor] = torch.ops.mkldnn._linear_pointwise.default
    return operator


def has_onednn() -> bool:
    """Whether this torch has the kernels."""
    is_built: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return is_built and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def is_amd() -> bool:
    """Whether this machine's processor is AMD's; only Linux says so."""
    try:
        return _AMD in _CPUINFO.read_text("utf-8", errors="replace")
    except OSError:
        return False


def _is_for(device: Device) -> bool:
    return device.torch_device.type == "cpu" and device.dtype is torch.float32


def _modules(pipe: Pipeline) -> list[nn.Module]:
    parts: dict[str, Any] = pipe.components
    return [part for part in parts.values() if isinstance(part, nn.Module)]
