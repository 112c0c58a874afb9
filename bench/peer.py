"""Starting what is measured: a whole farm by `myriad up`, and the bare processes."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parent.parent
READY_S = 180.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running_farm(home: Path, settings: Mapping[str, str] | None = None) -> Iterator[str]:
    """`myriad up` on an empty home; yields its address once it is ready.

    `settings` are MYRIAD_* variables on top of this process's own.
    """
    port = free_port()
    home.mkdir(parents=True, exist_ok=True)
    with (home / "up.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "myriad", "up", "--port", str(port)],
            cwd=ROOT,
            env=os.environ | {"MYRIAD_HOME": str(home)} | dict(settings or {}),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_up(f"{url}/readyz", process)
        yield url
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)


@contextmanager
def bare_flask() -> Iterator[str]:
    """The address of one route under gunicorn."""
    port = free_port()
    process = _start("flask", str(port))
    try:
        wait_until_up(f"http://127.0.0.1:{port}/jobs", process)
        yield f"http://127.0.0.1:{port}/jobs"
    finally:
        process.terminate()
        process.wait(timeout=20)


class BarePipeline:
    """The stock pipeline in its own process, one picture at a time."""

    def __init__(self, folder: str, steps: int, guidance_scale: float, threads: int) -> None:
        self._process = _start("pipeline", folder, str(steps), str(guidance_scale), str(threads))
        self._answer()

    def draw(self, prompt: str, seed: int) -> float:
        """Seconds inside the process for one picture."""
        assert self._process.stdin
        self._process.stdin.write(f"{seed} {prompt}\n")
        self._process.stdin.flush()
        return float(self._answer())

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(timeout=20)

    def _answer(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline().strip()


def _start(*arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "bench.bare", *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def wait_until_up(url: str, process: "subprocess.Popen[str] | subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + READY_S
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"{url} ended with {process.returncode}")
        try:
            if httpx.get(url, timeout=2).status_code < 500:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise RuntimeError(f"{url} did not come up")
