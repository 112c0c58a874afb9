"""How long forward passes take on the device, without making anyone wait for the answer."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

Told = Callable[[float], None]


class Stopwatch:
    """Times what happens on the host: on a CPU that is the pass itself."""

    @contextmanager
    def timing(self, told: Told) -> Iterator[None]:
        """Call `told(seconds)` for the block, at once or by a later `report`."""
        start = time.perf_counter()
        yield
        told(time.perf_counter() - start)

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
            told(start.elapsed_time(end) / 1000)

    def _event(self) -> torch.Event:
        return torch.Event(self._device, enable_timing=True)


def stopwatch_for(device: torch.device) -> Stopwatch:
    """The one that tells the truth on `device`."""
    return Stopwatch() if device.type == "cpu" else DeviceStopwatch(device)
