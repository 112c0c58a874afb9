"""What this worker counts of its own work, and how much memory it takes."""

from collections import Counter, defaultdict

import psutil
import torch
from torch import nn

from myriad.measured import Batching, Measured, Memory


class Figures:
    """Written on the engine thread, read on any: each count only ever grows."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._passes: defaultdict[str, Counter[int]] = defaultdict(Counter)
        self._requests: Counter[str] = Counter()
        self._rungs: Counter[str] = Counter()

    def count_pass(self, module: nn.Module, rows: int, requests: int) -> None:
        """A forward pass of `rows` served so many requests."""
        name = type(module).__name__
        self._passes[name][rows] += 1
        self._requests[name] += requests

    def count_rung(self, note: str) -> None:
        """Memory ran out, and this was done about it, in the words of the job's notes."""
        self._rungs[note.removeprefix("out of memory: ")] += 1

    def measured(self) -> Measured:
        """All of it, as of now."""
        return Measured(
            # Copies, each made in one go: the engine thread does not stand still.
            batching={
                name: Batching(passes=dict(passes), requests=self._requests[name])
                for name, passes in list(self._passes.items())
            },
            rungs=dict(self._rungs),
            memory=memory_of(self._device),
        )


def memory_of(device: torch.device) -> Memory:
    """Of this process, and of `device` where torch has an allocator of its own there."""
    process_bytes = psutil.Process().memory_info().rss
    if device.type in ("cpu", "mps"):
        return Memory(process_bytes=process_bytes)
    return Memory(
        process_bytes=process_bytes,
        allocated_bytes=torch.accelerator.memory_allocated(device),
        reserved_bytes=torch.accelerator.memory_reserved(device),
        total_bytes=_total_bytes(device),
    )


def _total_bytes(device: torch.device) -> int | None:
    """None where the device cannot tell: that must not keep its worker from reporting."""
    try:
        return torch.accelerator.get_memory_info(device)[1]
    except (RuntimeError, NotImplementedError):
        return None
