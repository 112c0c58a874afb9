"""Real processes of a farm, started, killed and looked at by tests."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FAST_WORKER = ("tests.tasks.fast_worker", "all")
WORKER = ("workers", "all")
JANITOR = ("tasks.janitor",)
SENDER = ("tasks.sender",)


class Processes:
    """Starts `python -m …` with a farm's environment; everything is killed at the end."""

    def __init__(self, environment: Mapping[str, str], logs: Path) -> None:
        self._environment = {**os.environ, **environment, "PYTHONPATH": str(ROOT)}
        self._logs = logs
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self, command: tuple[str, ...], **environment: str) -> subprocess.Popen[bytes]:
        name = f"{command[0]}.{len(self._running)}.log"
        with (self._logs / name).open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=ROOT,
                env=self._environment | environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._running.append(process)
        return process

    def logs(self) -> str:
        """What every process has said."""
        return "\n".join(
            f"--- {path.name}\n{path.read_text(errors='replace')}"
            for path in sorted(self._logs.glob("*.log"))
        )

    def close(self) -> None:
        for process in self._running:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def freeze(process: "subprocess.Popen[bytes]") -> None:
    """Stop the process and wait until its last thread has stopped: a signal takes a moment."""
    process.send_signal(signal.SIGSTOP)
    wait_until(lambda: _thread_states(process.pid) == {"T"}, what="every thread stops")


def _thread_states(pid: int) -> set[str]:
    stats = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/stat")]
    return {stat.rpartition(")")[2].split()[0] for stat in stats}


def wait_until(
    is_so: Callable[[], bool],
    *,
    within_s: float = 60.0,
    what: Callable[[], str] | str = "it",
) -> None:
    """Look again and again; an AssertionError that tells `what` if it never became so."""
    end = time.monotonic() + within_s
    while not is_so():
        if time.monotonic() >= end:
            told = what if isinstance(what, str) else what()
            raise AssertionError(f"not within {within_s} s: {told}")
        time.sleep(0.05)
