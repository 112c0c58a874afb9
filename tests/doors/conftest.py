"""One real farm, with the bundled models and two API keys, for the tests of all doors."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.conftest import is_ready, start_farm, stop_farm
from tests.processes import ROOT, wait_until

_START_S = 180.0


@dataclass(frozen=True)
class DoorFarm:
    """A farm at `url` that knows two callers by their API keys."""

    url: str
    key: str
    other_key: str
    home: Path


@pytest.fixture(scope="session")
def door_farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DoorFarm]:
    """Runs until the last test of these; `key` and `other_key` are different tenants."""
    home = tmp_path_factory.mktemp("doors") / "home"
    home.mkdir()
    _run(home, "migrate")
    keys = [_new_key(home, name) for name in ("one", "other")]
    farm = start_farm(home)
    try:
        wait_until(lambda: is_ready(farm), within_s=_START_S, what=lambda: farm.output)
        yield DoorFarm(farm.url, *keys, home)
    finally:
        stop_farm(farm)


def _new_key(home: Path, name: str) -> str:
    return _run(home, "keys", "create", name).split("key  ")[1].split()[0]


def _run(home: Path, *command: str) -> str:
    """What `myriad …` says with the farm's folder as its home."""
    done = subprocess.run(
        [sys.executable, "-m", "myriad", *command],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "MYRIAD_HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout
