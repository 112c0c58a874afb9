"""One child process: in a session of its own, writing to a log file, ended as a group."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

UNFIT_EXIT = 75
"""Exit code of a worker that left because it could not work (EX_TEMPFAIL of sysexits.h)."""

Start = Callable[[], "subprocess.Popen[bytes]"]


@dataclass(frozen=True)
class Program:
    """Something a supervisor keeps running.

    Lower `rank`s are stopped first. `is_ready` is asked with the process id until
    it says yes; it must return soon and not raise.
    """

    name: str
    start: Start
    rank: int = 0
    is_ready: Callable[[int], bool] = field(default=lambda pid: True)


def command(argv: tuple[str, ...], *, env: Mapping[str, str], log: Path) -> Start:
    """A `start` that runs `argv`, both outputs appended to `log`.

    The new session keeps a terminal's Ctrl-C from the child: the supervisor
    alone decides who stops, and in which order.
    """

    def start() -> "subprocess.Popen[bytes]":
        with log.open("ab") as output:
            return subprocess.Popen(
                argv,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    return start


def signal_group(pid: int, number: int) -> bool:
    """Signal every process of the group that `pid` leads (0: only ask); False if none is left."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
        return True
    return False


def how_it_ended(returncode: int) -> str:
    """In words: "exited with code 3", "killed by SIGKILL"."""
    if returncode == UNFIT_EXIT:
        return f"left, unable to work (code {returncode}; its log says why)"
    if returncode >= 0:
        return f"exited with code {returncode}"
    with suppress(ValueError):
        return f"killed by {signal.Signals(-returncode).name}"
    return f"killed by signal {-returncode}"


@dataclass
class Child:
    """A program and its present process, if any. Times are `time.monotonic` seconds."""

    program: Program
    process: "subprocess.Popen[bytes] | None" = None
    started_at: float = 0.0
    restart_at: float = 0.0
    crashes: int = 0
    is_ready: bool = False
    is_given_up: bool = False

    def start(self) -> int:
        """Start the process; returns its id."""
        self.process = self.program.start()
        self.started_at = time.monotonic()
        self.is_ready = False
        return self.process.pid

    def reap(self) -> int | None:
        """The exit code if the process has just ended, with whatever it left behind killed."""
        if self.process is None or (code := self.process.poll()) is None:
            return None
        signal_group(self.process.pid, signal.SIGKILL)
        self.process = None
        self.is_ready = False
        return code
