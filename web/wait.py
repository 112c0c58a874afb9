"""`Prefer: wait`: holding an answer until the job is final, within reason."""

from collections.abc import Callable
from threading import BoundedSemaphore
from time import monotonic, sleep

from myriad.record import JobRecord

_FIRST_PAUSE_S = 0.02
_LONGEST_PAUSE_S = 0.2
_GROWTH = 1.5


class WaitingRoom:
    """Lets at most half the threads wait, so that others always get served."""

    def __init__(self, threads: int) -> None:
        self._seats = BoundedSemaphore(max(1, threads // 2))

    def wait(self, read: Callable[[], JobRecord], seconds: float) -> JobRecord:
        """The job once it is final, or as it stands when time is up or no seat is free."""
        if seconds <= 0 or not self._seats.acquire(blocking=False):
            return read()
        try:
            return _poll(read, monotonic() + seconds)
        finally:
            self._seats.release()


def _poll(read: Callable[[], JobRecord], deadline: float) -> JobRecord:
    pause = _FIRST_PAUSE_S
    while True:
        record = read()
        left = deadline - monotonic()
        if record.state.is_final or left <= 0:
            return record
        sleep(min(pause, left))
        pause = min(pause * _GROWTH, _LONGEST_PAUSE_S)
