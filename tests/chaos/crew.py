"""The farm's processes: started, watched, started again when they die."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from threading import Event, Lock, Thread, Timer

from tests.chaos.history import History
from tests.processes import ROOT

_PAUSE_S = 0.2
_START_WITHIN_S = 60


class Crew:
    """A small supervisor over the nursery. Process `worker-2` is of kind `worker`."""

    def __init__(self, env: Mapping[str, str], logs: Path, history: History) -> None:
        self._env, self._logs, self._history = dict(env), logs, history
        self._lock = Lock()
        self._pids: dict[str, int] = {}
        self._started: dict[str, Event] = {}
        self._is_closing = False
        logs.mkdir(exist_ok=True)
        with (logs / "nursery.log").open("wb") as log:
            self._nursery = subprocess.Popen(
                [sys.executable, "-m", "tests.chaos.nursery"],
                cwd=ROOT,
                env={**os.environ, **env, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        self._reader = Thread(target=self._listen, name="crew", daemon=True)
        self._reader.start()

    def start(self, *names: str) -> None:
        """Have these run from now on; returns when each has a process."""
        for name in names:
            self._started[name] = Event()
            self._start(name)
        for name in names:
            assert self._started[name].wait(_START_WITHIN_S), f"{name} does not start"

    def names(self, kind: str) -> list[str]:
        """Every process of that kind."""
        return sorted(name for name in self._started if name.split("-")[0] == kind)

    def pid(self, name: str) -> int | None:
        """Its process at this moment, if it has one."""
        with self._lock:
            return self._pids.get(name)

    def kill(self, name: str) -> bool:
        """`kill -9` of the process and what it started; False if it is just dead."""
        return self.signal(name, signal.SIGKILL)

    def signal(self, name: str, number: signal.Signals) -> bool:
        pid = self.pid(name)
        with suppress(ProcessLookupError):
            if pid is not None:
                os.killpg(pid, number)
                return True
        return False

    def close(self) -> None:
        """Kill all."""
        self._is_closing = True
        assert self._nursery.stdin
        assert self._nursery.stdout
        self._nursery.stdin.close()
        self._nursery.wait()
        self._reader.join()
        self._nursery.stdout.close()

    def _start(self, name: str) -> None:
        if self._is_closing:
            return
        kind = name.split("-")[0]
        log = self._logs / f"{name}.log"
        order = {"name": name, "kind": kind, "env": self._env, "log": str(log)}
        assert self._nursery.stdin
        with self._lock, suppress(BrokenPipeError, ValueError):
            self._nursery.stdin.write(json.dumps(order).encode() + b"\n")
            self._nursery.stdin.flush()

    def _listen(self) -> None:
        assert self._nursery.stdout
        for line in self._nursery.stdout:
            told = json.loads(line)
            if "started" in told:
                with self._lock:
                    self._pids[told["started"]] = told["pid"]
                self._started[told["started"]].set()
            else:
                self._ended(told["ended"], told["pid"])

    def _ended(self, name: str, pid: int) -> None:
        with self._lock:
            self._pids.pop(name, None)
        if not self._is_closing:
            # What it had started goes too: a worker of gunicorn holds its master's port.
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
            self._history.tell("death", name=name, pid=pid)
            again = Timer(_PAUSE_S, self._start, [name])
            again.daemon = True
            again.start()
