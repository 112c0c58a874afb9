"""`python -m tests.chaos.nursery`: the farm's processes, forked off one that has imported them.

A killed process is back in a twentieth of a second instead of two. Orders come as
JSON lines on standard input: `{"name", "kind", "env", "log"}` starts one. What
happens goes out the same way: `{"started"|"ended": name, "pid"}`. When the input
ends, all are killed.
"""

import gc
import json
import os
import selectors
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from gunicorn.app.wsgiapp import run as run_gunicorn
from sqlalchemy.orm import configure_mappers

import tasks.janitor
import tasks.sender
import web  # noqa: F401 - imported to be there after the fork
from myriad.farm import open_farm
from myriad.log import set_up_logging
from myriad.pool import find_pool
from myriad.settings import load_settings
from tasks.worker import serve
from tests.chaos.engine import ChaosRunner


def _web() -> None:
    sys.argv = ["gunicorn", "-c", "python:myriad.gunicorn", "web:create_app()"]
    run_gunicorn()


def _worker() -> None:
    settings = load_settings()
    set_up_logging(settings)
    farm = open_farm(settings)
    serve(farm, find_pool(farm.pools, "all"), ChaosRunner())


KINDS: dict[str, Callable[[], None]] = {
    "web": _web,
    "worker": _worker,
    "janitor": tasks.janitor.main,
    "sender": tasks.sender.main,
}


class Nursery:
    """One thread, so that a fork takes along nothing half done."""

    def __init__(self) -> None:
        self._names: dict[int, str] = {}
        self._bell, ring = socket.socketpair()
        self._ring = ring
        for end in (self._bell, ring):
            end.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(ring.fileno())

    def run(self) -> None:
        """Obey until the input ends."""
        watch = selectors.DefaultSelector()
        watch.register(self._bell, selectors.EVENT_READ)
        watch.register(0, selectors.EVENT_READ)
        rest = b""
        while True:
            for key, _ in watch.select():
                if key.fd != 0:
                    self._bell.recv(4096)
                    self._reap()
                    continue
                read = os.read(0, 65_536)
                if not read:
                    return self._end()
                *lines, rest = (rest + read).split(b"\n")
                for line in lines:
                    self._start(**json.loads(line))

    def _start(self, name: str, kind: str, env: dict[str, str], log: str) -> None:
        pid = os.fork()
        if pid == 0:
            _become(kind, env, log)
        self._names[pid] = name
        _tell(started=name, pid=pid)

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                _tell(ended=self._names.pop(ended[0]), pid=ended[0])

    def _end(self) -> None:
        for pid in self._names:
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)


def _become(kind: str, env: dict[str, str], log: str) -> None:
    """Turn the child into a process of the farm; never returns."""
    status = 1
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (output, 1), (output, 2)):
            os.dup2(source, target)
        os.environ.update(env)
        KINDS[kind]()
        status = 0
    except SystemExit as leaving:
        status = int(leaving.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(OSError):
            sys.stderr.flush()
        os._exit(status)


def _tell(**what: Any) -> None:
    os.write(1, json.dumps(what).encode() + b"\n")


if __name__ == "__main__":
    configure_mappers()
    gc.collect()
    gc.freeze()
    Nursery().run()
