"""A webhook receiver with bad days, and its log."""

import random
import socket
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Lock

from standardwebhooks import Webhook, WebhookVerificationError

from tests.chaos.history import History
from tests.chaos.quiet_server import QuietHandler, QuietServer

_BAD = (500, 404, 302, "reset", "hangs")
_FAILING = 0.2


class Receiver:
    """Fails the first tries of some events in every way there is; logs each try it saw."""

    def __init__(
        self,
        log: Path,
        secret: str,
        *,
        seed: int,
        hang_s: float,
        most_failures: int,
    ) -> None:
        self._log, self._webhook = History(log), Webhook(secret)
        self._hang_s, self._most_failures = hang_s, most_failures
        self._dice, self._lock = random.Random(seed), Lock()
        self._to_fail: dict[str, int] = {}
        receiver = self

        class Handler(_Handler):
            hook = receiver

        self._server = QuietServer(Handler)
        self.url = f"{self._server.url}/hook"

    def close(self) -> None:
        self._server.close()
        self._log.close()

    def answer(self, handler: BaseHTTPRequestHandler, body: str) -> None:
        headers = {name.lower(): value for name, value in handler.headers.items()}
        how = self._mood(headers.get("webhook-id", ""))
        self._log.tell(
            "receipt",
            id=headers.get("webhook-id"),
            timestamp=headers.get("webhook-timestamp"),
            signature=headers.get("webhook-signature"),
            body=body,
            answered=how,
            is_verified=self._verify(body, headers),
        )
        if how == "reset":
            handler.connection.shutdown(socket.SHUT_RDWR)
            handler.close_connection = True
            return
        if how == "hangs":
            time.sleep(self._hang_s)
        handler.send_response_only(how if isinstance(how, int) else 204)
        handler.send_header("Location", self.url)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    def _mood(self, message_id: str) -> int | str:
        """204, or what goes wrong this time. One event in five fails at least once."""
        with self._lock:
            if message_id not in self._to_fail:
                fails = self._dice.random() < _FAILING
                # Mostly once; ever more rarely so often as the schedule allows.
                often = min(int(self._dice.expovariate(0.7)) + 1, self._most_failures)
                self._to_fail[message_id] = often if fails else 0
            if self._to_fail[message_id] == 0:
                return 204
            self._to_fail[message_id] -= 1
            return self._dice.choice(_BAD)

    def _verify(self, body: str, headers: dict[str, str]) -> bool:
        try:
            self._webhook.verify(body, headers)
        except WebhookVerificationError:
            return False
        return True


class _Handler(QuietHandler):
    hook: Receiver

    def do_POST(self) -> None:  # noqa: N802 - the library's name
        self.hook.answer(self, self.rfile.read(int(self.headers["Content-Length"])).decode())
