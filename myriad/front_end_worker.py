"""Gunicorn's process that serves: it leaves without dropping a request."""

from socket import socket
from threading import Timer
from types import FrameType

from gunicorn.workers.gthread import ThreadWorker

from myriad.leaving import leave
from myriad.settings import load_settings


class FrontEndWorker(ThreadWorker):
    """Told to stop, it is unready, serves on for `MYRIAD_WEB_LINGER_S`, then ends what it has.

    A balancer in front has the lingering to notice. After it nobody gets in: the
    stock class stops accepting too, but goes on listening, so that whoever comes
    while the last requests end is queued and then cut off instead of refused.
    """

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
