"""Where a pool's torch work happens and in which precision."""

import gc
from dataclasses import dataclass
from typing import Final

import torch

from myriad.errors import ConfigError
from myriad.pool import Pool
from workers.allocator import give_freed_memory_back

# What is computed in: the eight-bit precisions are of weights in memory only.
_DTYPES: Final = {
    "fp32": torch.float32,
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
    "fp8": torch.bfloat16,
    "int8": torch.bfloat16,
}


@dataclass(frozen=True)
class Device:
    """A torch device and the dtype that models get on it."""

    torch_device: torch.device
    dtype: torch.dtype

    def free_cache(self) -> None:
        """Give memory back at once, after models were dropped or a call ran out of it."""
        gc.collect()  # modules with hooks sit in reference cycles
        give_freed_memory_back()
        if self.torch_device.type != "cpu":
            torch.accelerator.empty_cache()


def open_device(pool: Pool, override: str = "") -> Device:
    """The device `override`, else the pool's own, proved by a first allocation.

    Raises:
        ConfigError: this machine has no such device, or it lacks the precision.
    """
    name = _resolve(override or pool.device)
    dtype = _DTYPES[pool.precision]
    try:
        device = torch.device(name)
        (torch.ones(1, device=device, dtype=dtype) + 1).item()
    except (RuntimeError, AssertionError, NotImplementedError, TypeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise ConfigError(
            f"pool {pool.name}: device {name!r} in {pool.precision} cannot be used here: {reason}"
        ) from error
    return Device(device, dtype)


def _resolve(name: str) -> str:
    """`auto` is the machine's accelerator, or its CPU."""
    if name != "auto":
        return name
    found = torch.accelerator.current_accelerator(check_available=True)
    return found.type if found else "cpu"
