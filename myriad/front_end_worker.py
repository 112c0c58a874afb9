"""Gunicorn's process that serves: patient with nobody, and it leaves without dropping a request."""

from socket import socket
from threading import Timer
from types import FrameType
from typing import Any

from gunicorn.workers.gthread import _DEFER, TConn, ThreadWorker  # type: ignore[attr-defined]

from myriad.leaving import leave
from myriad.patience import Head, PacedSocket
from myriad.settings import load_settings


class FrontEndWorker(ThreadWorker):
    """Told to stop, it is unready, serves on for `MYRIAD_WEB_LINGER_S`, then ends what it has.

    A balancer in front has the lingering to notice. After it nobody gets in: the
    stock class stops accepting too, but goes on listening, so that whoever comes
    while the last requests end is queued and then cut off instead of refused.
    """

    def handle(self, conn: TConn) -> Any:
        """A request, once its headers have come: until then it costs no thread, and not for ever.

        The stock class waits like this for the first byte only: 64 clients with half a
        header each would keep everybody else out.
        """
        if not self.alive:
            return super().handle(conn)  # nobody would wait for it any more but this thread
        if not _is_read_ahead(conn):
            head: Head = vars(conn).setdefault("head", Head())
            if not head.is_whole(conn.sock):
                return False if head.is_overdue else _DEFER
            del vars(conn)["head"]
        conn.sock.setblocking(True)
        conn.init()
        parser: Any = conn.parser
        parser.unreader.sock = PacedSocket(conn.sock)
        return super().handle(conn)

    def finish_request(self, conn: TConn, fs: Any) -> None:
        """As ever; but who was made to wait just when we were told to stop is served first."""
        if not self.alive and vars(conn).pop("head", None):
            self.enqueue_req(conn)
        else:
            super().finish_request(conn, fs)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM."""
        leave()
        linger = Timer(load_settings().web_linger_s, super().handle_exit, (sig, frame))
        linger.daemon = True
        linger.start()

    def set_accept_enabled(self, enabled: bool | None) -> None:
        """As ever; and once we stop, serve those who already stand at the door and shut it."""
        if not self.alive:
            for listener in self.sockets:
                while self._lets_in(listener):
                    pass
        super().set_accept_enabled(enabled)
        if not self.alive:
            for listener in self.sockets:
                listener.close()

    def _lets_in(self, listener: socket) -> bool:
        before = self.nr_conns
        self.accept(listener)
        return bool(self.nr_conns > before)


def _is_read_ahead(conn: TConn) -> bool:
    """Whether what follows was read together with the request before."""
    parser: Any = conn.parser
    return parser is not None and bool(parser.unreader.buf.getvalue())
