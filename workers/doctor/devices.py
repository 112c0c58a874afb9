"""The devices of this machine, and what each can do: tried, not looked up."""

import platform
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import torch
from diffusers.models.attention_dispatch import AttentionBackendName, dispatch_attention_fn
from torch.nn import functional

from workers.doctor.report import DeviceReport, PrecisionReport
from workers.error import short
from workers.memory.free_memory import free_bytes, total_bytes

_PLAIN: Final = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
_SIDE: Final = {"cpu": 512}
_ACCELERATOR_SIDE: Final = 4096
_TRIES: Final = 3
_NOT_TRIED: Final = ("_hub", "flex")


def find_devices() -> tuple[DeviceReport, ...]:
    """Every accelerator that torch knows here, then the CPU."""
    return tuple(_look_at(device) for device in (*accelerators(), torch.device("cpu")))


def accelerators() -> list[torch.device]:
    """All of the one kind that this torch was built for, if any is there."""
    kind = torch.accelerator.current_accelerator(check_available=True)
    if kind is None:
        return []
    return [torch.device(kind.type, index) for index in range(torch.accelerator.device_count())]


def processor() -> str:
    """The CPU by its trade name where the system tells."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _look_at(device: torch.device) -> DeviceReport:
    total, free = total_bytes(device), free_bytes(device)
    return DeviceReport(
        name=str(device),
        title=_title(device),
        total_bytes=total,
        free_bytes=total if free is None else free,
        precisions=tuple(_precisions(device)),
        attention=_attention(device),
    )


def _title(device: torch.device) -> str:
    if device.type == "cpu":
        return processor()
    ask = getattr(torch.get_device_module(device), "get_device_name", None)
    return str(ask(device)) if ask else device.type


def _precisions(device: torch.device) -> list[PrecisionReport]:
    plain = [_tried(name, partial(_gflops, device, dtype)) for name, dtype in _PLAIN.items()]
    return [*plain, _tried("fp8", partial(_fp8, device)), _tried("int8", partial(_int8, device))]


def _tried(name: str, probe: Callable[[], float | None]) -> PrecisionReport:
    try:
        return PrecisionReport(name, works=True, gflops=probe())
    except ImportError as error:
        return PrecisionReport(name, works=False, reason=f"{error.name} is not installed")
    except Exception as error:  # each backend has errors of its own
        return PrecisionReport(name, works=False, reason=short(error))


def _gflops(device: torch.device, dtype: torch.dtype) -> float:
    """Run what models are made of, then time a matrix product."""
    picture = torch.ones(1, 4, 8, 8, device=device, dtype=dtype)
    pixels = functional.conv2d(picture, torch.ones(4, 4, 3, 3, device=device, dtype=dtype))
    query = pixels.flatten(2).transpose(1, 2)[:, None]
    drawn = functional.scaled_dot_product_attention(query, query, query)
    if not torch.isfinite(functional.group_norm(drawn, 1)).all():
        raise ArithmeticError("gives values that are not finite")
    side = _SIDE.get(device.type, _ACCELERATOR_SIDE)
    left = torch.rand(side, side, device=device).to(dtype)
    seconds = min(_seconds(device, lambda: left @ left) for _ in range(_TRIES))
    return round(2 * side**3 / seconds / 1e9, 1)


def _fp8(device: torch.device) -> None:
    """Weights kept in 8 bits and widened for each layer, as layerwise casting does."""
    weight = torch.rand(16, 16, device=device).to(torch.float8_e4m3fn)
    if not torch.isfinite(weight.to(torch.bfloat16) @ weight.to(torch.bfloat16)).all():
        raise ArithmeticError("gives values that are not finite")


def _int8(device: torch.device) -> None:
    """Weights quantised by torchao."""
    torchao: Any = import_module("torchao.quantization")
    layer = torch.nn.Linear(64, 64, device=device, dtype=torch.bfloat16)
    torchao.quantize_(layer, torchao.Int8WeightOnlyConfig())
    layer(torch.rand(1, 64, device=device).to(torch.bfloat16))


def _attention(device: torch.device) -> tuple[str, ...]:
    """diffusers' attention backends that run here, but for those fetched or compiled first."""
    dtype = torch.bfloat16
    query = torch.rand(1, 64, 1, 64, device=device).to(dtype)
    return tuple(
        backend.value
        for backend in AttentionBackendName
        if not backend.value.endswith(_NOT_TRIED) and _attends(backend, query)
    )


def _attends(backend: AttentionBackendName, query: torch.Tensor) -> bool:
    try:
        output = dispatch_attention_fn(query, query, query, backend=backend)
        return bool(torch.isfinite(output).all())
    except Exception:  # absent packages show as errors of every kind
        return False


def _seconds(device: torch.device, work: Callable[[], object]) -> float:
    wait_for(device)
    start = time.perf_counter()
    work()
    wait_for(device)
    return time.perf_counter() - start


def wait_for(device: torch.device) -> None:
    """Until the device has done what it was given."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
