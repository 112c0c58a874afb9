"""How long forward passes take on the device, without making anyone wait for the answer."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

Told = Callable[[float, float], None]
"""Told what a pass cost and how long it took: seconds of the device, seconds on the wall."""


class Stopwatch:
    """Times what this thread does: on a CPU that is the pass itself.

    The cost is by the thread's own clock: a pass that others kept off the processor did
    not cost more because of its rows.
    """

    @contextmanager
    def timing(self, told: Told) -> Iterator[None]:
        """Call `told` for the block, at once or by a later `report`."""
        cost, wall = time.thread_time(), time.perf_counter()
        yield
        told(time.thread_time() - cost, time.perf_counter() - wall)

    def report(self) -> None:
        """Tell what has become known since."""


class DeviceStopwatch(Stopwatch):
    """Times by events in the device's own queue, read once the device has passed them."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pending: deque[tuple[torch.Event, torch.Event, Told]] = deque()

    @contextmanager
    def timing(self, told: Told) -> Iterator[None]:
        start, end = self._event(), self._event()
        start.record()
        yield
        end.record()
        self._pending.append((start, end, told))

    def report(self) -> None:
        while self._pending and self._pending[0][1].query():
            start, end, told = self._pending.popleft()
            seconds = start.elapsed_time(end) / 1000
            told(seconds, seconds)

    def _event(self) -> torch.Event:
        return torch.Event(self._device, enable_timing=True)


def stopwatch_for(device: torch.device) -> Stopwatch:
    """The one that tells the truth on `device`."""
    return Stopwatch() if device.type == "cpu" else DeviceStopwatch(device)
