"""The embedded Valkey keeps what it was given."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from myriad.embedded import EmbeddedValkey
from myriad.errors import BrokerUnavailable
from myriad.redis_client import connect_redis


@pytest.fixture
def own_valkey(valkey: EmbeddedValkey, tmp_path: Path) -> Iterator[EmbeddedValkey]:
    """A server this test may kill; skipped where the shared one does not start."""
    with EmbeddedValkey(tmp_path / "valkey") as server:
        yield server


def test_it_keeps_its_data_and_address_over_a_kill(own_valkey: EmbeddedValkey) -> None:
    url = own_valkey.url
    with connect_redis(url) as client:
        client.set("name", "value")
        # Wait for the append-only file, which is synced every second.
        client.execute_command("WAITAOF", 1, 0, 5000)
    assert own_valkey.process is not None
    own_valkey.process.kill()
    own_valkey.process.wait()
    own_valkey.start()
    assert own_valkey.url == url
    with connect_redis(url) as client:
        assert client.get("name") == b"value"


def test_it_never_evicts(own_valkey: EmbeddedValkey) -> None:
    with connect_redis(own_valkey.url) as client:
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


def test_stopping_twice_is_no_error(own_valkey: EmbeddedValkey) -> None:
    own_valkey.stop()
    own_valkey.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", own_valkey.port))


def test_a_taken_port_is_said_so(own_valkey: EmbeddedValkey, tmp_path: Path) -> None:
    second = EmbeddedValkey(tmp_path / "second", port=own_valkey.port)
    with pytest.raises(BrokerUnavailable, match=r"valkey\.log"):
        second.start()
    assert second.process is None
