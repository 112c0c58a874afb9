"""One `myriad up` per home folder."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from myriad.errors import Conflict

_LEFTOVERS_S = 15.0


@contextmanager
def hold(home: Path) -> Iterator[int]:
    """Hold the folder's lock; yields its file descriptor, for the guard to keep open too.

    A supervisor that was killed leaves the lock with its guard until every process
    it started is gone; that is waited for. Raises Conflict while another one lives.
    """
    fd = os.open(home / "up.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _take(fd, home)
        os.ftruncate(fd, 0)
        os.pwrite(fd, str(os.getpid()).encode(), 0)
        yield fd
    finally:
        os.close(fd)


def _take(fd: int, home: Path) -> None:
    deadline = time.monotonic() + _LEFTOVERS_S
    while True:
        with suppress(BlockingIOError):
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        owner = int(os.pread(fd, 20, 0) or 0)
        if _is_alive(owner) or time.monotonic() > deadline:
            raise Conflict(f"a farm is already running in {home} (pid {owner})")
        time.sleep(0.1)


def _is_alive(pid: int) -> bool:
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
