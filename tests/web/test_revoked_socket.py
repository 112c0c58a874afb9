"""A socket that was opened with a key is shut when the key is revoked."""

import time

import pytest
from simple_websocket import Client, ConnectionClosed

from myriad.db.keys import create_key, revoke_key
from tests.web.conftest import Site


def test_a_revoked_key_hears_no_more(site: Site) -> None:
    key_id, key = create_key(site.farm.db, "me")
    address = site.url.replace("http:", "ws:") + "/ws"
    socket = Client(address, headers={"Authorization": f"Bearer {key}"})
    assert "status" in socket.receive(timeout=30)
    revoke_key(site.farm.db, key_id)
    with pytest.raises(ConnectionClosed):
        until_shut(socket)


def until_shut(socket: Client) -> None:
    """Listen for as long as anything may still come. Raises ConnectionClosed."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        socket.receive(timeout=1)
