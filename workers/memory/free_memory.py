"""Free memory of a device now, and what a call took of it at its highest point."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil
import torch

_CGROUP: Final = Path("/sys/fs/cgroup")


def free_bytes(device: torch.device) -> int | None:
    """What can still be allocated on `device`: its own memory, or this machine's for a CPU.

    Counts what torch's caching allocator holds without using it. None where the device
    cannot tell, as some that share the machine's memory.
    """
    if device.type == "cpu":
        return free_host_bytes(_CGROUP)
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.current_allocated_memory()
    try:
        free, _ = torch.accelerator.get_memory_info(device)
    except RuntimeError:
        return None
    cached = torch.accelerator.memory_reserved(device) - torch.accelerator.memory_allocated(device)
    return free + cached


def total_bytes(device: torch.device) -> int:
    """All the memory of `device`."""
    if device.type == "cpu":
        return min(psutil.virtual_memory().total, _container_limit(_CGROUP) or 2**62)
    if device.type == "mps":
        return torch.mps.recommended_max_memory()
    try:
        return torch.accelerator.get_memory_info(device)[1]
    except RuntimeError:
        return int(torch.get_device_module(device).get_device_properties(device).total_memory)


@dataclass
class Growth:
    """Bytes that a call took at its highest point; None where no allocator counts them."""

    peak_bytes: int | None = None


@contextmanager
def measured_growth(device: torch.device) -> Iterator[Growth]:
    """What runs inside is measured by the device's allocator; waits for the device to finish."""
    growth = Growth()
    if device.type in ("cpu", "mps"):
        yield growth
        return
    torch.accelerator.synchronize(device)
    torch.accelerator.reset_peak_memory_stats(device)
    before = torch.accelerator.memory_allocated(device)
    yield growth
    torch.accelerator.synchronize(device)
    growth.peak_bytes = torch.accelerator.max_memory_allocated(device) - before


def free_host_bytes(cgroup: Path) -> int:
    """What the machine has left, or the container if it was given less."""
    free = int(psutil.virtual_memory().available)
    limit = _container_limit(cgroup)
    if limit is None:
        return free
    # Cached files count as used there, but are given up when memory is asked for.
    used = int((cgroup / "memory.current").read_text())
    stat = dict(line.split() for line in (cgroup / "memory.stat").read_text().splitlines())
    return max(0, min(free, limit - used + int(stat.get("inactive_file", 0))))


def _container_limit(cgroup: Path) -> int | None:
    """Bytes that a container's memory is limited to (cgroup v2), if it is."""
    try:
        text = (cgroup / "memory.max").read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None
