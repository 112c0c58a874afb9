"""How long a client may take to say what it wants: who dawdles must not hold a thread."""

import socket
from dataclasses import dataclass, field
from errno import ECONNRESET
from select import POLLIN, poll
from time import monotonic

_HEAD_S = 15.0
_BODY_S = 20.0
_LEAST_BYTES_PER_S = 20_000
_END_OF_HEAD = b"\r\n\r\n"
_LARGEST_HEAD = 16_384
"""More is left to the parser, which has its own limits, at the pace of a body."""


@dataclass
class Head:
    """The headers of a request, as far as they have come; nothing is taken from the connection."""

    begun: float = field(default_factory=monotonic)
    seen: int = -1

    @property
    def is_overdue(self) -> bool:
        """Whether they have been coming for too long."""
        return monotonic() - self.begun > _HEAD_S

    def is_whole(self, connection: socket.socket) -> bool:
        """Whether there is nothing more to wait for: the end, an end without one, or too much.

        If there is, `connection` counts as readable once more than now has come.
        """
        head = _peeked(connection)
        has_ended = head == b"" or len(head or b"") == self.seen  # woken, and nothing came
        is_whole = has_ended or (
            head is not None and (_END_OF_HEAD in head or len(head) >= _LARGEST_HEAD)
        )
        self.seen = len(head) if head else -1
        wanted = 1 if is_whole else len(head or b"") + 1
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, wanted)
        return is_whole


def _peeked(connection: socket.socket) -> bytes | None:
    """What can be read; None if nothing has come yet."""
    try:
        return connection.recv(_LARGEST_HEAD, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return None


class PacedSocket:
    """What gunicorn's parser reads from: it breaks off if what is sent does not come at a pace."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._due = monotonic() + _BODY_S

    def recv(self, size: int) -> bytes:
        """What has come, at most so many bytes. Raises ConnectionResetError once time is up."""
        waiting = poll()
        waiting.register(self._connection, POLLIN)
        left_s = max(0.0, self._due - monotonic())
        if not waiting.poll(left_s * 1000):
            raise ConnectionResetError(ECONNRESET, "the client is too slow")
        data = self._connection.recv(size)
        self._due += len(data) / _LEAST_BYTES_PER_S
        return data

    def gettimeout(self) -> None:
        """None: it is not read from for a set time."""

    def settimeout(self, seconds: float | None) -> None:
        """Be patient for so long, and no longer: gunicorn throws away what nobody read."""
        if seconds is not None:
            self._due = min(self._due, monotonic() + seconds)
