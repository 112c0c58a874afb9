"""`myriad up` with the bundled model, as on a fresh machine, once for these tests."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from myriad.client import Client
from tests.processes import ROOT, wait_until

_START_S = 180.0


@dataclass(frozen=True)
class LiveFarm:
    """A farm that answers at `url`, its home folder and its `myriad up` process."""

    url: str
    home: Path
    process: "subprocess.Popen[str]"

    @property
    def output(self) -> str:
        return (self.home / "up.log").read_text()


def start_farm(home: Path, *options: str, **settings: str) -> LiveFarm:
    """Start `myriad up` on a free port, with `settings` on top; does not wait."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    home.mkdir(parents=True, exist_ok=True)
    environment = {
        **os.environ,
        "MYRIAD_HOME": str(home),
        "MYRIAD_LEASE_S": "3",
        "MYRIAD_REDISPATCH_S": "3",
        "MYRIAD_JANITOR_INTERVAL_S": "0.2",
        "MYRIAD_RETRY_DELAY_S": "0",
        "MYRIAD_PREVIEW_EVERY_S": "0.2",
        "MYRIAD_CHECKPOINT_EVERY_S": "0.2",
        "MYRIAD_WEBHOOK_ALLOW": "127.0.0.0/8",
        **{f"MYRIAD_{name.upper()}": value for name, value in settings.items()},
    }
    with (home / "up.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "myriad", "up", "--port", str(port), *options],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=log,
            text=True,
            start_new_session=True,
        )
    return LiveFarm(f"http://127.0.0.1:{port}", home, process)


def is_ready(farm: LiveFarm) -> bool:
    assert farm.process.poll() is None, farm.output
    try:
        return httpx.get(f"{farm.url}/readyz", timeout=2, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def stop_farm(farm: LiveFarm) -> int:
    """Ctrl-C; the exit code."""
    if farm.process.poll() is None:
        farm.process.send_signal(signal.SIGINT)
    return farm.process.wait(timeout=60)


@pytest.fixture(scope="session")
def live_farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveFarm]:
    farm = start_farm(tmp_path_factory.mktemp("farm") / "home")
    try:
        wait_until(lambda: is_ready(farm), within_s=_START_S, what=lambda: farm.output)
        yield farm
    finally:
        stop_farm(farm)


@pytest.fixture
def client(live_farm: LiveFarm) -> Iterator[Client]:
    with Client(live_farm.url) as opened:
        yield opened
