"""The other side: a receiver, a trap for connections, a name server that lies."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LOOPBACK = ("127.0.0.0/8",)


@dataclass(frozen=True)
class Received:
    """One request as it came over the wire."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """Answers every POST as `answer` says and keeps what it got."""

    url: str
    answer: Callable[[BaseHTTPRequestHandler], None]
    received: list[Received] = field(default_factory=list)
    broken_off: threading.Event = field(default_factory=threading.Event)
    closing: threading.Event = field(default_factory=threading.Event)


def status(code: int, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    """An empty answer."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver on the loopback that answers 204 until told otherwise."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            here.received.append(Received(self.path, dict(self.headers), body))
            try:
                here.answer(self)
                self.wfile.flush()
            except OSError:
                here.broken_off.set()
                self.close_connection = True

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    here = Receiver(f"http://127.0.0.1:{server.server_port}/hook", status(204))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield here
    here.closing.set()
    server.shutdown()
    server.server_close()


class Trap:
    """Listens on every address of this machine and lets connections queue up."""

    def __init__(self) -> None:
        if socket.has_dualstack_ipv6():
            self._socket = socket.create_server(
                ("::", 0), family=socket.AF_INET6, dualstack_ipv6=True
            )
        else:
            self._socket = socket.create_server(("0.0.0.0", 0))
        self._socket.setblocking(False)
        self.port = int(self._socket.getsockname()[1])

    def connections(self) -> int:
        """How many have connected since the last call."""
        count = 0
        while True:
            try:
                self._socket.accept()[0].close()
            except BlockingIOError:
                return count
            count += 1

    def close(self) -> None:
        self._socket.close()


@dataclass
class Resolver:
    """A name server under the attacker's control: a new answer to every question."""

    answers: list[str]
    questions: int = 0

    def getaddrinfo(self, host: str, port: int | None, *_: object, **__: object) -> list[object]:
        try:  # an address needs no name server
            socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)
            address = host
        except OSError:
            address = self.answers[min(self.questions, len(self.answers) - 1)]
            self.questions += 1
        if ":" in address:
            return [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, port, 0, 0))]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]
