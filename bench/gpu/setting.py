"""Settings that change how a model computes, not what: each is applied and can be undone."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

Undo = Callable[[], None]


@dataclass(frozen=True)
class Setting:
    """`apply` changes the module and returns how to change it back."""

    name: str
    apply: Callable[[Any], Undo]


_SDPA = (
    SDPBackend.CUDNN_ATTENTION,
    SDPBackend.FLASH_ATTENTION,
    SDPBackend.EFFICIENT_ATTENTION,
    SDPBackend.MATH,
)


def attention_first(backend: SDPBackend) -> Setting:
    """torch's attention tries `backend` first, then the others: some heads fit only those."""

    def apply(module: nn.Module) -> Undo:
        order = [backend, *(other for other in _SDPA if other is not backend)]
        stack = ExitStack()
        stack.enter_context(sdpa_kernel(order, set_priority=True))
        return stack.close

    return Setting(f"{backend.name.lower()} first", apply)


def _cudnn_benchmark(module: nn.Module) -> Undo:
    before = torch.backends.cudnn.benchmark

    def undo() -> None:
        torch.backends.cudnn.benchmark = before

    torch.backends.cudnn.benchmark = True
    return undo


_CHANNELS_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}


def _channels_last(module: nn.Module) -> Undo:
    """By hand: Module.to(memory_format=…) refuses a model with both 4-D and 5-D weights."""
    for parameter in module.parameters():
        if parameter.dim() in _CHANNELS_LAST:
            parameter.data = parameter.data.contiguous(
                memory_format=_CHANNELS_LAST[parameter.dim()]
            )

    def undo() -> None:
        for parameter in module.parameters():
            parameter.data = parameter.data.contiguous()

    return undo


def _fuse_qkv(module: Any) -> Undo:
    module.fuse_qkv_projections()
    undo: Undo = module.unfuse_qkv_projections
    return undo


def compile_whole(backend: str, mode: str | None) -> Setting:
    """torch.compile of the whole forward, one compilation a shape."""

    def apply(module: Any) -> Undo:
        real = module.forward
        module.forward = torch.compile(
            real, fullgraph=True, dynamic=False, backend=backend, mode=mode
        )

        def undo() -> None:
            module.forward = real

        return undo

    return Setting("compile", apply)


def compile_blocks(backend: str, mode: str | None) -> Setting:
    """diffusers' compile_repeated_blocks: one compilation for all blocks."""

    def apply(module: Any) -> Undo:
        module.compile_repeated_blocks(fullgraph=True, dynamic=False, backend=backend, mode=mode)

        def undo() -> None:
            for block in module.modules():
                block._compiled_call_impl = None

        return undo

    return Setting("compile repeated blocks", apply)


CUDNN_BENCHMARK = Setting("cudnn benchmark", _cudnn_benchmark)
CHANNELS_LAST = Setting("channels last", _channels_last)
FUSED_QKV = Setting("fused qkv", _fuse_qkv)
ATTENTION = tuple(attention_first(backend) for backend in _SDPA[:3])


def denoiser_settings(family: str, backend: str, mode: str | None) -> list[Setting]:
    """What is tried on a denoiser, in this order."""
    if family == "wan":
        return [*ATTENTION, FUSED_QKV, compile_blocks(backend, mode)]
    return [CUDNN_BENCHMARK, CHANNELS_LAST, *ATTENTION, FUSED_QKV, compile_whole(backend, mode)]


VAE_SETTINGS = [CUDNN_BENCHMARK, CHANNELS_LAST]
