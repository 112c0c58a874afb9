"""An S3 server with its troubles: errors, silences, torn uploads. A proxy before a good one."""

import http.client
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

_HOP_BY_HOP = {"connection", "content-length", "transfer-encoding", "expect"}


class FaultyS3(ThreadingHTTPServer):
    """Of 100 requests `errors` are answered 500 and `stalls` not for `stall_s` seconds.

    Of 100 uploads `cuts` arrive at the server without their second half, and it is
    told that this is all. `seed` fixes which.
    """

    daemon_threads = True

    def __init__(
        self, behind: str, *, errors: int, stalls: int, cuts: int, stall_s: float, seed: int = 4
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind = urlsplit(behind).netloc
        self.stall_s = stall_s
        self._shares = {"error": errors, "stall": stalls, "cut": cuts}
        self._dice = random.Random(seed)
        self._lock = threading.Lock()
        self.done: Counter[str] = Counter()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def draw(self, method: str) -> str:
        """What becomes of the next request: "error", "stall", "cut" or "well"."""
        with self._lock:
            number = self._dice.randrange(100)
            for fate, share in self._shares.items():
                if 0 <= number < share and (fate != "cut" or method == "PUT"):
                    self.done[fate] += 1
                    return fate
                number -= share
            return "well"

    def handle_error(self, request: object, client_address: object) -> None:
        """A caller that gave up is none of ours."""


class _Handler(BaseHTTPRequestHandler):
    server: FaultyS3
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        match self.server.draw(self.command):
            case "error":
                self._answer(500, {}, b"")
            case "stall":
                time.sleep(self.server.stall_s)
                self.close_connection = True
            case "cut":
                self._pass_on(body[: len(body) // 2])
            case _:
                self._pass_on(body)

    def do_GET(self) -> None:
        self._serve()

    def do_HEAD(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def _pass_on(self, body: bytes) -> None:
        headers = {k: v for k, v in self.headers.items() if k.lower() not in _HOP_BY_HOP}
        behind = http.client.HTTPConnection(self.server.behind, timeout=30)
        try:
            behind.request(self.command, self.path, body, headers)
            answer = behind.getresponse()
            self._answer(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            behind.close()

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):
            self.send_response(status)
            length = headers.get("Content-Length", "0") if self.command == "HEAD" else len(body)
            for name, value in headers.items():
                if name.lower() not in _HOP_BY_HOP:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@contextmanager
def faulty_s3(
    behind: str, *, errors: int = 0, stalls: int = 0, cuts: int = 0, stall_s: float = 30.0
) -> Iterator[FaultyS3]:
    """A proxy before the server at `behind`, gone at the end."""
    server = FaultyS3(behind, errors=errors, stalls=stalls, cuts=cuts, stall_s=stall_s)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
