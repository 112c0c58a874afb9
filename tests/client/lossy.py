"""A way to a farm on which answers get lost, or somebody says that it is busy."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

DROP = "drop"
"""Pass the request on, and hang up without an answer."""

PASS = "pass"
"""Pass the request on, and its answer back."""

_PASSED_ON = ("Authorization", "Content-Type", "Idempotency-Key")


@dataclass
class Lossy:
    """What happens to the next requests: `DROP`, `PASS`, or an answer's status and headers."""

    url: str
    trouble: list[str | tuple[int, dict[str, str]]] = field(default_factory=list)
    seen: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """Path of every request, and its headers by their names in small letters."""


@contextmanager
def losing(farm_url: str) -> Iterator[Lossy]:
    """Passes everything on to the farm once its `trouble` is over."""

    class Handler(BaseHTTPRequestHandler):
        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            way.seen.append(
                (self.path, {name.lower(): text for name, text in self.headers.items()})
            )
            trouble = way.trouble.pop(0) if way.trouble else None
            if isinstance(trouble, tuple):
                self._answer(trouble[0], trouble[1], b"{}")
                return
            headers = {name: self.headers[name] for name in _PASSED_ON if name in self.headers}
            address = farm_url + self.path
            told = http.request(self.command, address, content=body, headers=headers)
            if trouble == DROP:
                self.close_connection = True
            else:
                kind = told.headers.get("Content-Type", "")
                self._answer(told.status_code, {"Content-Type": kind}, told.content)

        do_GET = do_POST = do_DELETE = _pass_on  # noqa: N815

        def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    with (
        httpx.Client(trust_env=False, timeout=60) as http,
        ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server,
    ):
        way = Lossy(f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield way
        server.shutdown()
