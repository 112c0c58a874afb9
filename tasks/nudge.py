"""Dispatch soon: asked from anywhere, done on a thread of its own."""

from threading import Event, Thread

import structlog

from myriad.errors import MyriadError
from tasks.dispatch import Dispatcher

_log = structlog.get_logger(__name__)


class Nudge:
    """`now()` returns at once; many calls in a row become one dispatch.

    The caller's commit already made the job safe, so neither a slow broker nor
    a lost nudge may hold it up: the janitor finds what this misses.
    """

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._wanted = Event()
        self._is_closing = False
        self._thread = Thread(target=self._loop, name="nudge", daemon=True)
        self._thread.start()

    def now(self) -> None:
        """Ask for a dispatch."""
        self._wanted.set()

    def close(self) -> None:
        """Do what was asked for, then stop."""
        self._is_closing = True
        self._wanted.set()
        self._thread.join()

    def _loop(self) -> None:
        while not self._is_closing:
            self._wanted.wait()
            self._wanted.clear()
            try:
                self._dispatcher.run()
            except MyriadError as error:
                _log.warning("dispatch_put_off", error=error.message)
            except Exception:
                _log.exception("dispatch_put_off")
