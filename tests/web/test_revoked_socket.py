"""Sockets that were opened with a key: shut with the key, and not all of them one key's."""

import time
from contextlib import ExitStack, closing

import pytest
import websocket
from simple_websocket import Client, ConnectionClosed

from myriad.db.keys import create_key, revoke_key
from tests.web.conftest import Site
from tests.web.login import bearer

MOST = 64
"""Sockets of one front end."""


def test_a_revoked_key_hears_no_more(site: Site) -> None:
    key_id, key = create_key(site.farm.db, "me")
    socket = Client(address_of(site), headers=bearer(key))
    assert "status" in socket.receive(timeout=30)
    revoke_key(site.farm.db, key_id)
    with pytest.raises(ConnectionClosed):
        until_shut(socket)


def test_one_key_leaves_sockets_to_the_others(site: Site) -> None:
    alice, bob = (create_key(site.farm.db, name)[1] for name in ("alice", "bob"))
    with ExitStack() as stack:
        for _ in range(MOST // 2):
            stack.enter_context(closing(listening(site, alice)))
        with pytest.raises(websocket.WebSocketBadStatusException) as refused:
            listening(site, alice)
        assert refused.value.status_code == 503
        assert int(refused.value.resp_headers["retry-after"]) > 0
        stack.enter_context(closing(listening(site, bob)))


def listening(site: Site, key: str) -> websocket.WebSocket:
    """A socket that the front end has taken. Raises WebSocketBadStatusException."""
    return websocket.create_connection(
        address_of(site), header=bearer(key), http_no_proxy=["127.0.0.1"], timeout=20
    )


def address_of(site: Site) -> str:
    return site.url.replace("http:", "ws:") + "/ws"


def until_shut(socket: Client) -> None:
    """Listen for as long as anything may still come. Raises ConnectionClosed."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        socket.receive(timeout=1)
