"""A farm of real processes over a real broker and a real database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from myriad.embedded import EmbeddedValkey
from myriad.farm import Farm, open_farm
from myriad.settings import load_settings
from tests.processes import Processes

TINY_CATALOG = '[[model]]\nname = "tiny"\nfamily = "sd"\nsource = "tiny"\nrevision = "r1"\n'


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[EmbeddedValkey]:
    """A broker of its own, to be killed and flushed at will."""
    server = EmbeddedValkey(tmp_path / "valkey")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def pools() -> str:
    """What is in `pools.toml`; nothing: one pool called "all"."""
    return ""


@pytest.fixture
def more_settings() -> dict[str, str]:
    """Settings of a test module's own."""
    return {}


@pytest.fixture
def environment(
    tmp_path: Path,
    broker: EmbeddedValkey,
    migrated_url: str,
    pools: str,
    more_settings: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> dict[str, str]:
    """Settings with short times, for this process and those it starts."""
    catalog = tmp_path / "catalog.toml"
    catalog.write_text(TINY_CATALOG)
    (tmp_path / "pools.toml").write_text(pools)
    values = {
        "MYRIAD_HOME": str(tmp_path / "home"),
        "MYRIAD_DATABASE_URL": migrated_url,
        "MYRIAD_REDIS_URL": broker.url,
        "MYRIAD_CATALOG": str(catalog),
        "MYRIAD_LEASE_S": "2",
        "MYRIAD_REDISPATCH_S": "2",
        "MYRIAD_JANITOR_INTERVAL_S": "0.2",
        "MYRIAD_RETRY_DELAY_S": "0",
        "MYRIAD_CHECKPOINT_EVERY_S": "0.1",
        "MYRIAD_PREVIEW_EVERY_S": "0.1",
        "MYRIAD_WEBHOOK_ALLOW": "127.0.0.0/8",
        "MYRIAD_POOLS": str(tmp_path / "pools.toml") if pools else "",
        **more_settings,
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return values


@pytest.fixture
def farm(environment: dict[str, str]) -> Iterator[Farm]:
    opened = open_farm(load_settings())
    yield opened
    opened.close()


@pytest.fixture
def processes(environment: dict[str, str], tmp_path: Path) -> Iterator[Processes]:
    logs = tmp_path / "logs"
    logs.mkdir()
    started = Processes(environment, logs)
    yield started
    started.close()
    print(started.logs())  # noqa: T201 - shown by pytest when the test failed
