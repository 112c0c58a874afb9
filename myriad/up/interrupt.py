"""The wish to stop, as signals bring it: once means cleanly, twice means now."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupt:
    """How often we were told to stop."""

    def __init__(self) -> None:
        self._count = 0

    def note(self, number: int, frame: FrameType | None) -> None:
        """A signal handler: counts, nothing else."""
        self._count += 1

    def is_asked(self) -> bool:
        """Whether to stop."""
        return self._count > 0

    def is_urgent(self) -> bool:
        """Whether to stop without waiting for anyone."""
        return self._count > 1


@contextmanager
def listen() -> Iterator[Interrupt]:
    """Count Ctrl-C, SIGTERM and a closed terminal instead of dying of them."""
    interrupt = Interrupt()
    before = {number: signal.signal(number, interrupt.note) for number in _SIGNALS}
    try:
        yield interrupt
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
