"""Ends a farm's processes when the one that started them is gone, however it went.

`python -m myriad.up.guard` reads the ids of process groups from its standard input
and ends those still listed at its end. The kernel closes that pipe even when the
supervisor is killed with signal 9, on Linux and macOS alike.
"""

import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from typing import TextIO

from myriad.up.process import signal_group

GRACE_S = 8.0


class Guard:
    """The supervisor's side: a small process that knows what to end.

    `keep_fds` stay open in it, so that a lock on the farm's folder outlives the
    supervisor until everything it started is gone.
    """

    def __init__(self, keep_fds: tuple[int, ...] = ()) -> None:
        self._keep_fds = keep_fds
        self._groups: set[int] = set()
        self._process = self._spawn()

    @property
    def pid(self) -> int:
        """Process id of the guard."""
        return self._process.pid

    def watch(self, pid: int) -> None:
        """End this process group if the supervisor goes."""
        self._groups.add(pid)
        self._send(f"+{pid}\n")

    def forget(self, pid: int) -> None:
        """The group has ended; its number may be someone else's soon."""
        self._groups.discard(pid)
        self._send(f"-{pid}\n")

    def close(self) -> None:
        """End whatever is still watched, and the guard itself."""
        self._process.communicate()

    def __enter__(self) -> "Guard":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _spawn(self) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            (sys.executable, "-m", "myriad.up.guard"),
            stdin=subprocess.PIPE,
            text=True,
            start_new_session=True,
            pass_fds=self._keep_fds,
        )

    def _send(self, line: str) -> None:
        if self._process.poll() is not None:
            self._process.communicate()
            self._process = self._spawn()
            line = "".join(f"+{pid}\n" for pid in self._groups)
        assert self._process.stdin is not None
        self._process.stdin.write(line)
        self._process.stdin.flush()


def follow(lines: TextIO) -> set[int]:
    """The groups still listed when the lines end."""
    groups: set[int] = set()
    for line in lines:
        pid = int(line[1:])
        if line[0] == "+":
            groups.add(pid)
        else:
            groups.discard(pid)
    return groups


def end_groups(groups: Iterable[int], grace_s: float = GRACE_S) -> None:
    """Ask every group to stop, and kill what is left `grace_s` seconds later."""
    left = {pid for pid in groups if signal_group(pid, signal.SIGTERM)}
    deadline = time.monotonic() + grace_s
    while left and time.monotonic() < deadline:
        time.sleep(0.05)
        left = {pid for pid in left if signal_group(pid, 0)}
    for pid in left:
        signal_group(pid, signal.SIGKILL)


def main() -> None:
    """Follow standard input to its end; signals meant for the supervisor do not count here."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    end_groups(follow(sys.stdin))


if __name__ == "__main__":
    main()
