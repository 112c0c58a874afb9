"""A proxy before an S3 server that makes trouble when told to."""

import http.client
import time
from typing import Literal
from urllib.parse import urlsplit

from tests.chaos.quiet_server import QuietHandler, QuietServer

Trouble = Literal["none", "errors", "stalls", "truncates"]
_HOP = {"connection", "transfer-encoding", "content-length", "expect"}


class BadS3:
    """Answers 500, waits `stall_s`, or breaks off in the middle; else passes everything on."""

    def __init__(self, upstream: str, stall_s: float) -> None:
        self.trouble: Trouble = "none"
        self.stall_s = stall_s
        self.spoiled = 0
        parts = urlsplit(upstream)
        proxy, address = self, (parts.hostname or "", parts.port or 80)

        class Handler(_Handler):
            upstream = address
            bad = proxy

        self._server = QuietServer(Handler)
        self.url = self._server.url

    def close(self) -> None:
        self._server.close()


class _Handler(QuietHandler):
    upstream: tuple[str, int]
    bad: BadS3

    def do_PUT(self) -> None:  # noqa: N802 - the library's name
        trouble = self.bad.trouble
        self.bad.spoiled += trouble != "none"
        if self.headers.get("Expect"):
            self.send_response_only(100)
            self.end_headers()
        length = int(self.headers.get("Content-Length", 0))
        if trouble == "truncates" and length:
            self.rfile.read(length // 2)  # torn: the server has not got the rest
            self.close_connection = True
            return
        body = self.rfile.read(length)
        if trouble == "stalls":
            time.sleep(self.bad.stall_s)
        if trouble == "errors":
            self._answer(500, [], b"<Error><Code>InternalError</Code></Error>")
            return
        self._answer(*self._forward(body), is_cut=trouble == "truncates")

    do_GET = do_POST = do_DELETE = do_HEAD = do_PUT  # noqa: N815 - the library's names

    def handle_expect_100(self) -> bool:
        return True

    def _forward(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection(*self.upstream, timeout=30)
        headers = {k: v for k, v in self.headers.items() if k.lower() not in _HOP}
        connection.request(self.command, self.path, body, headers)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        return answer.status, answer.getheaders(), data

    def _answer(
        self, status: int, headers: list[tuple[str, str]], body: bytes, is_cut: bool = False
    ) -> None:
        self.send_response_only(status)
        is_head = self.command == "HEAD"
        for name, value in headers:
            if name.lower() not in _HOP or (is_head and name.lower() == "content-length"):
                self.send_header(name, value)
        if not is_head:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if not is_head:
            self.wfile.write(body[: len(body) // 2] if is_cut else body)
        self.close_connection = self.close_connection or is_cut
