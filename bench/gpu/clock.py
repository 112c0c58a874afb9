"""Seconds on the device, its peak memory, and the time that is left."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

MOST_REPEATS = 20


class Budget:
    """The time a whole run may take."""

    def __init__(self, limit_s: float) -> None:
        self._end = time.monotonic() + limit_s

    @property
    def left_s(self) -> float:
        return self._end - time.monotonic()


@dataclass(frozen=True)
class Timing:
    """Median seconds of `repeats` calls."""

    median_s: float
    repeats: int


class Clock:
    """Times calls on one device; `patience` 0 repeats nothing that need not be."""

    def __init__(self, device: torch.device, patience: float = 1.0) -> None:
        self.device, self._patience = device, patience

    @property
    def is_cuda(self) -> bool:
        return self.device.type == "cuda"

    def timed(self, call: Callable[[], object]) -> float:
        """Seconds from the first kernel of `call` to its last, by the device's own events."""
        if not self.is_cuda:
            start_s = time.perf_counter()
            call()
            return time.perf_counter() - start_s
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize(self.device)
        start.record()
        call()
        end.record()
        end.synchronize()
        return float(start.elapsed_time(end)) / 1e3

    def median(self, call: Callable[[], object], budget_s: float, least: int = 1) -> Timing:
        """The median of as many calls as fit the budget, `least` to MOST_REPEATS; warm up first."""
        budget_s *= self._patience
        found = [self.timed(call)]
        while len(found) < MOST_REPEATS and (
            len(found) < least or sum(found) + found[0] <= budget_s
        ):
            found.append(self.timed(call))
        return Timing(statistics.median(found), len(found))

    def reset_peak(self) -> None:
        """Count the peak from now on."""
        if self.is_cuda:
            torch.cuda.reset_peak_memory_stats(self.device)

    def peak_bytes(self) -> int | None:
        """Most memory allocated at once since `reset_peak`; not known on a CPU."""
        return torch.cuda.max_memory_allocated(self.device) if self.is_cuda else None
