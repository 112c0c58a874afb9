"""Sending: what arrives, what counts as delivered, and that nothing holds us up."""

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from myriad.webhook import Sender, sign
from tests.webhook.peers import LOOPBACK, Receiver, Resolver, Trap, status

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = json.dumps({"type": "completed", "prompt": "一只猫 🐈\n"}, ensure_ascii=False).encode()


@pytest.fixture
def sender() -> Sender:
    return Sender(LOOPBACK, timeout_s=10)


@pytest.fixture
def hasty() -> Sender:
    return Sender(LOOPBACK, timeout_s=0.5)


def test_the_receiver_can_verify_what_it_gets(sender: Sender, receiver: Receiver) -> None:
    headers = sign(SECRET, "msg_1", BODY, datetime.now(UTC))
    assert sender.post(receiver.url, BODY, headers).is_delivered
    (received,) = receiver.received
    assert received.body == BODY
    assert received.headers["Content-Type"] == "application/json"
    assert received.headers["User-Agent"].startswith("Myriad/")
    assert received.headers["Host"] == receiver.url.split("/")[2]
    assert Webhook(SECRET).verify(received.body, received.headers) == json.loads(BODY)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(received.body + b" ", received.headers)


@pytest.mark.parametrize(
    ("code", "is_delivered", "is_gone"),
    [
        (200, True, False),
        (204, True, False),
        (304, False, False),
        (400, False, False),
        (410, False, True),
        (429, False, False),
        (500, False, False),
        (503, False, False),
    ],
)
def test_the_status_decides(
    sender: Sender, receiver: Receiver, code: int, is_delivered: bool, is_gone: bool
) -> None:
    receiver.answer = status(code)
    receipt = sender.post(receiver.url, BODY, {})
    assert (receipt.status, receipt.error) == (code, None)
    assert (receipt.is_delivered, receipt.is_gone) == (is_delivered, is_gone)
    assert len(receiver.received) == 1


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_is_a_failure(sender: Sender, receiver: Receiver, trap: Trap, code: int) -> None:
    receiver.answer = status(code, Location=f"http://127.0.0.1:{trap.port}/")
    receipt = sender.post(receiver.url, BODY, {})
    assert receipt.status == code
    assert not receipt.is_delivered
    assert trap.connections() == 0


def test_no_cookie_is_kept(sender: Sender, receiver: Receiver) -> None:
    receiver.answer = status(204, **{"Set-Cookie": "a=b"})
    sender.post(receiver.url, BODY, {})
    sender.post(receiver.url, BODY, {})
    assert "Cookie" not in receiver.received[1].headers


def test_the_process_proxy_is_not_asked(
    sender: Sender, receiver: Receiver, trap: Trap, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{trap.port}")
    assert sender.post(receiver.url, BODY, {}).is_delivered
    assert trap.connections() == 0


def test_a_closed_port_is_an_error(sender: Sender) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        receipt = sender.post(f"http://127.0.0.1:{probe.getsockname()[1]}/", BODY, {})
    assert receipt.status is None
    assert receipt.error == "no connection: ConnectionError"


def test_a_name_is_asked_once_and_its_address_kept(
    receiver: Receiver, trap: Trap, resolver: Resolver
) -> None:
    """Rebinding: the second answer, if it were asked for, would lead elsewhere."""
    resolver.answers = ["127.0.0.1", "::1"]
    url = receiver.url.replace("127.0.0.1", "rebound.example")
    assert Sender(("127.0.0.1/32",), timeout_s=5).post(url, BODY, {}).is_delivered
    assert resolver.questions == 1
    assert receiver.received[0].headers["Host"] == url.split("/")[2]


def test_a_second_better_answer_is_not_asked_for(trap: Trap, resolver: Resolver) -> None:
    resolver.answers = ["::1", "127.0.0.1"]
    url = f"http://rebound.example:{trap.port}/"
    receipt = Sender(("127.0.0.1/32",), timeout_s=5).post(url, BODY, {})
    assert receipt.error == "the name leads to a private or reserved address"
    assert trap.connections() == 0


def test_a_giant_answer_is_broken_off(sender: Sender, receiver: Receiver) -> None:
    def flood(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Encoding", "gzip")
        handler.end_headers()
        for _ in range(1024):
            handler.wfile.write(bytes(1 << 20))

    receiver.answer = flood
    assert sender.post(receiver.url, BODY, {}).is_delivered
    assert receiver.broken_off.wait(60)


def test_a_receiver_that_hangs_is_left(hasty: Sender, receiver: Receiver) -> None:
    receiver.answer = lambda _: (receiver.closing.wait(60), None)[1]
    receipt = hasty.post(receiver.url, BODY, {})
    assert (receipt.status, receipt.error) == (None, "no answer in time")


def test_an_endless_answer_counts_by_its_status(hasty: Sender, receiver: Receiver) -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while not receiver.closing.wait(0.05):
            handler.wfile.write(b".")

    receiver.answer = drip
    assert hasty.post(receiver.url, BODY, {}).is_delivered
    assert receiver.broken_off.wait(60)


@pytest.fixture
def dripping() -> Iterator[Callable[[bytes], int]]:
    """Starts a server that sends a beginning and then one byte after another, for ever."""
    closing = threading.Event()
    threads: list[threading.Thread] = []

    def start(beginning: bytes) -> int:
        server = socket.create_server(("127.0.0.1", 0))

        def drip() -> None:
            with server, server.accept()[0] as connection, contextlib.suppress(OSError):
                connection.sendall(beginning)
                while not closing.wait(0.05):
                    connection.sendall(b"a")

        threads.append(threading.Thread(target=drip, daemon=True))
        threads[-1].start()
        return int(server.getsockname()[1])

    yield start
    closing.set()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize(
    ("scheme", "beginning"),
    [
        ("http", b""),
        ("http", b"HTTP/1.1 200 OK\r\nX-Endless: "),
        ("http", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 "),
        ("https", b"\x16\x03\x03\x40\x00"),  # a handshake record of 16 KiB to come
    ],
)
def test_no_drip_outlasts_the_limit(
    hasty: Sender, dripping: Callable[[bytes], int], scheme: str, beginning: bytes
) -> None:
    receipt = hasty.post(f"{scheme}://localhost:{dripping(beginning)}/", BODY, {})
    assert (receipt.status, receipt.error) == (None, "no answer in time")
