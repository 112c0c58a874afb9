"""A running farm of real processes; only the pictures are made without a model."""

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from myriad.db.migrate import upgrade
from myriad.embedded import EmbeddedValkey
from myriad.up.programs import GUNICORN
from tests.processes import FAST_WORKER, Processes, wait_until
from tests.tasks.conftest import TINY_CATALOG


@pytest.fixture(scope="session")
def farm_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("farm")


@pytest.fixture(scope="session")
def farm_url(farm_home: Path) -> Iterator[str]:
    """Address of a farm whose worker draws digests."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (farm_home / "catalog.toml").write_text(TINY_CATALOG)
    with EmbeddedValkey(farm_home / "valkey") as broker:
        environment = {
            "MYRIAD_HOME": str(farm_home),
            "MYRIAD_PORT": str(port),
            "MYRIAD_REDIS_URL": broker.url,
            "MYRIAD_CATALOG": str(farm_home / "catalog.toml"),
        }
        upgrade(f"sqlite:///{farm_home / 'myriad.db'}")
        url = f"http://127.0.0.1:{port}"
        with closing(Processes(environment, farm_home)) as processes:
            processes.start(GUNICORN)
            processes.start(FAST_WORKER)
            wait_until(lambda: _is_ready(url), what="the farm")
            yield url


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz").is_success
    except httpx.HTTPError:
        return False


@pytest.fixture
def cli(farm_home: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """Runs commands in an empty folder of their own."""
    monkeypatch.setenv("COLUMNS", "200")
    return CliRunner()
