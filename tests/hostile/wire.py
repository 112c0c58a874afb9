"""The very bytes over a socket, with the framing itself gone wrong."""

import socket
from contextlib import suppress
from dataclasses import replace
from random import Random
from time import perf_counter
from urllib.parse import urlsplit

from tests.hostile.asked import Asked, Header
from tests.hostile.tally import Answer

_CHUNKED = (b"Transfer-Encoding", b"chunked")


def ask_over(url: str, asked: Asked, within_s: float = 60.0) -> Answer:
    """What a server at `url` answers. We send no more, so it must not wait for more."""
    parts = urlsplit(url)
    start, answer = perf_counter(), b""
    with socket.create_connection((parts.hostname, parts.port), timeout=within_s) as peer:
        with suppress(OSError):  # it may have seen enough
            peer.sendall(asked.raw())
            peer.shutdown(socket.SHUT_WR)
        try:
            while piece := peer.recv(65_536):
                answer += piece
        except ConnectionResetError:
            pass  # it may close without reading all we sent
        except TimeoutError:
            return Answer(None, answer, perf_counter() - start)
    return _read(answer, perf_counter() - start)


def misframed(asked: Asked, rng: Random) -> Asked:
    """As it is, or with a length and codings that servers disagree on."""
    headers = [header for header in asked.headers if header[0] != b"Content-Length"]
    size = len(asked.body)
    headers.append((b"Connection", b"close"))
    changed, tail = rng.choice(_FRAMES)(size, asked.body, rng)
    return replace(asked, headers=(*headers, *changed), tail=tail)


def _length(*values: bytes) -> list[Header]:
    return [(b"Content-Length", value) for value in values]


def _true(size: int, body: bytes, rng: Random) -> tuple[list[Header], bytes]:
    return _length(b"%d" % size), body


def _wrong(size: int, body: bytes, rng: Random) -> tuple[list[Header], bytes]:
    wrong = (
        b"%d" % (size + 100),
        b"%d" % (size // 2),
        *(b"-1", b"+5", b"1_0", b"0x10", b"", b"9" * 40, b"99999999999", b"5, 5", b"\xd9\xa1"),
    )
    return _length(rng.choice(wrong)), body


def _two(size: int, body: bytes, rng: Random) -> tuple[list[Header], bytes]:
    return _length(b"%d" % size, rng.choice((b"0", b"%d" % size, b"7"))), body


def _none(size: int, body: bytes, rng: Random) -> tuple[list[Header], bytes]:
    return [], body


def _both(size: int, body: bytes, rng: Random) -> tuple[list[Header], bytes]:
    return [*_length(b"%d" % size), _CHUNKED], b"%x\r\n%s\r\n0\r\n\r\n" % (size, body)


def _chunks(size: int, body: bytes, rng: Random) -> tuple[list[Header], bytes]:
    sizes = (b"%x" % size, b"%x;a=b" % size, b"-1", b"zz", b"0x5", b"f" * 30, b"", b"%x " % size)
    end = rng.choice((b"0\r\n\r\n", b"0\r\n\r\n", b"", b"0\r\nX-A: b\r\n\r\n", b"0\n\n"))
    return [_CHUNKED], rng.choice(sizes) + b"\r\n" + body + b"\r\n" + end


def _coding(size: int, body: bytes, rng: Random) -> tuple[list[Header], bytes]:
    codings = (b"gzip", b"gzip, chunked, identity", b"chunked, chunked", b"xchunked", b" chunked",
               b"\x0bchunked", b"identity")  # fmt: skip
    return [(b"Transfer-Encoding", rng.choice(codings)), *_length(b"%d" % size)], body


def _odd_lines(size: int, body: bytes, rng: Random) -> tuple[list[Header], bytes]:
    odd: tuple[Header, ...] = (
        (b"X-A", b"b\r\n c"),
        (b"X-A", b"b\0c"),
        (b"X A", b"b"),
        (b"X-A ", b"b"),
        (b"", b"b"),
        (b"X-A", b"\n\nGET / HTTP/1.1"),
        (b"X_A", b"b"),
        (b"X-Big", b"b" * 20_000),
        (b"\xff", b"\xff"),
    )
    many: list[Header] = [(b"X-%d" % number, b"b") for number in range(200)]
    return [*(many if rng.random() < 0.2 else [rng.choice(odd)]), *_length(b"%d" % size)], body


_FRAMES = (_true, _true, _true, _wrong, _two, _none, _both, _chunks, _coding, _odd_lines)


def _read(answer: bytes, seconds: float) -> Answer:
    """The first answer of what may be several."""
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    words = first.split()
    if len(words) < 2 or not words[1].isdecimal():
        return Answer(0, answer, seconds)
    headers = tuple((line.partition(":")[0], line.partition(":")[2].strip()) for line in lines)
    asks_to_retry = any(name.lower() == "retry-after" for name, _ in headers)
    return Answer(int(words[1]), body, seconds, asks_to_retry, headers)
