"""Supervisors over real, tiny processes."""

import os
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from myriad.up.guard import Guard
from myriad.up.process import Program, command
from myriad.up.restart import RestartPolicy
from myriad.up.supervisor import Supervisor
from tests.processes import wait_until

SLEEP = "import time; time.sleep(600)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True)"
MakeProgram = Callable[..., Program]


@dataclass
class Told:
    """What a supervisor has said, in order."""

    lines: list[tuple[str, str]] = field(default_factory=list)

    def __call__(self, name: str, line: str) -> None:
        self.lines.append((name, line))

    def pids(self, name: str) -> list[int]:
        """Process ids the program has been started with."""
        starts = [line for who, line in self.lines if who == name and line.startswith("started")]
        return [int(line.split()[-1]) for line in starts]

    def ends(self) -> list[tuple[str, str]]:
        return [(name, line) for name, line in self.lines if not line.startswith(("st", "ready"))]


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def program(tmp_path: Path) -> MakeProgram:
    """A program that runs Python code; its output goes to `NAME.log`."""

    def make(name: str, code: str = SLEEP, rank: int = 0) -> Program:
        start = command((sys.executable, "-c", code), env=os.environ, log=tmp_path / f"{name}.log")
        return Program(name, start, rank)

    return make


@pytest.fixture
def supervisor(told: Told) -> Iterator[Supervisor]:
    with Guard() as guard:
        policy = RestartPolicy(first_delay_s=0.05, longest_delay_s=0.1, most_crashes=4)
        watched = Supervisor(guard, told, policy=policy, grace_s=20)
        yield watched
        watched.stop(is_urgent=lambda: True)


def is_running(pid: int) -> bool:
    """Whether the process is there and no zombie that nobody has waited for."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def tick_until(supervisor: Supervisor, is_so: Callable[[], bool]) -> None:
    def look() -> bool:
        supervisor.tick()
        return is_so()

    wait_until(look)


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
