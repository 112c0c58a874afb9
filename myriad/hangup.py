"""A hard end for a connection, however slowly the other side drips."""

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self


class Hangup:
    """Cuts every socket it watches once `after_s` seconds have passed.

    A socket timeout bounds each read, and one byte restarts it: only the clock
    bounds the whole exchange. Use as a context manager around it.
    """

    def __init__(self, after_s: float) -> None:
        self._timer = threading.Timer(after_s, self._cut)
        self._timer.daemon = True
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self.is_over = False

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        with self._lock:
            for sock in self._sockets:
                sock.close()
            self._sockets.clear()

    def watch(self, sock: socket.socket) -> None:
        """Remember a second handle of `sock`: TLS takes the first one over."""
        with self._lock:
            self._sockets.append(sock.dup())
            if self.is_over:
                _shut(sock)

    def _cut(self) -> None:
        with self._lock:
            self.is_over = True
            for sock in self._sockets:
                _shut(sock)


def _shut(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):  # already closed by the other side
        sock.shutdown(socket.SHUT_RDWR)
