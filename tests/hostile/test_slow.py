"""Clients that dawdle: others are answered meanwhile, and their places come back."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import httpx
import pytest

from myriad import patience
from myriad.patience import Head, PacedSocket
from tests.hostile.place import Place

THREADS = 64
HEAD = b"POST /api/v1/jobs HTTP/1.1\r\nHost: farm\r\nContent-Type: application/json\r\n"
STARTS = {
    "nothing": b"",
    "one letter": b"P",
    "a space": b" ",
    "half a header": HEAD,
    "a header that does not end": HEAD + b"X-A: " + b"a" * 8000,
}


def _connect(url: str) -> socket.socket:
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname, parts.port), timeout=30)


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS.keys())
def test_half_a_request_holds_no_thread(place: Place, start: bytes) -> None:
    with ExitStack() as stack:
        for _ in range(3 * THREADS):
            stack.enter_context(_connect(place.url)).sendall(start)
        with httpx.Client(base_url=place.url, trust_env=False, timeout=30) as client:
            for _ in range(3):
                assert client.get("/livez").status_code == 200


def test_headers_may_come_bit_by_bit(place: Place) -> None:
    raw = b"GET /livez HTTP/1.1\r\nHost: farm\r\nConnection: close\r\n\r\n"
    with _connect(place.url) as peer:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in raw:
            peer.sendall(bytes([byte]))
        assert peer.recv(100).startswith(b"HTTP/1.1 200")


def test_two_requests_at_once_get_two_answers(place: Place) -> None:
    first = b"GET /livez HTTP/1.1\r\nHost: farm\r\n\r\n"
    last = b"GET /livez HTTP/1.1\r\nHost: farm\r\nConnection: close\r\n\r\n"
    with _connect(place.url) as peer:
        peer.sendall(first + last)
        answer = b""
        while piece := peer.recv(65_536):
            answer += piece
    assert answer.count(b"HTTP/1.1 200") == 2


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_what_does_not_come_is_not_waited_for(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "_BODY_S", 0.05)
    ours, theirs = pair
    paced = PacedSocket(ours)
    theirs.sendall(b"x" * 10)
    assert paced.recv(100) == b"x" * 10
    with pytest.raises(ConnectionResetError):
        paced.recv(100)


def test_a_head_is_whole_or_not(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    head = Head()
    assert not head.is_whole(ours)
    theirs.sendall(b"GET / HTTP/1.1\r\n")
    assert not head.is_whole(ours)
    theirs.sendall(b"\r\n")
    assert head.is_whole(ours)
    cut = Head()
    assert ours.recv(100)
    theirs.sendall(b"GET")
    assert not cut.is_whole(ours)
    theirs.close()
    assert cut.is_whole(ours)  # there is no more to come
