"""`Prefer: wait`: holding an answer until the job is final, within reason."""

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import BoundedSemaphore, Condition, Event, Thread

import structlog

_LOOK_EVERY_S = 0.04

_log = structlog.get_logger(__name__)

Live = Callable[[set[str]], set[str]]
"""Those of some jobs that have not ended."""


@dataclass(frozen=True, eq=False)
class _Seat:
    job_id: str
    is_over: Event = field(default_factory=Event)


class WaitingRoom:
    """Lets at most half the threads wait, so that others always get served.

    One thread looks for all of them: each look is one short query, however many wait.
    """

    def __init__(self, threads: int, live: Live) -> None:
        self._seats = BoundedSemaphore(max(1, threads // 2))
        self._live = live
        self._taken: set[_Seat] = set()
        self._changed = Condition()
        self._has_news = self._is_closing = False
        self._thread = Thread(target=self._loop, name="waiting-room", daemon=True)
        self._thread.start()

    def wait(self, job_id: str, seconds: float) -> None:
        """Return once the job is final, when time is up, or at once if no seat is free.

        Also if that cannot be told: whoever looks at the job then learns why.
        """
        if seconds <= 0 or not self._seats.acquire(blocking=False):
            return
        seat = _Seat(job_id)
        try:
            with self._changed:
                self._taken.add(seat)
                self._has_news = True  # the cache may have ended it already
                self._changed.notify()
            if not self._is_closing:
                seat.is_over.wait(seconds)
        finally:
            with self._changed:
                self._taken.discard(seat)
            self._seats.release()

    def close(self) -> None:
        """Let everybody go."""
        with self._changed:
            self._is_closing = self._has_news = True
            self._changed.notify()
        self._thread.join()
        for seat in self._taken.copy():
            seat.is_over.set()

    def _loop(self) -> None:
        while not self._is_closing:
            with self._changed:
                self._changed.wait_for(lambda: self._taken or self._is_closing)
                seats, self._has_news = set(self._taken), False
            live = self._look({seat.job_id for seat in seats})
            for seat in seats:
                if seat.job_id not in live:
                    seat.is_over.set()
            with self._changed:
                self._changed.wait_for(lambda: self._has_news, _LOOK_EVERY_S)

    def _look(self, job_ids: set[str]) -> set[str]:
        try:
            return self._live(job_ids)
        except Exception as error:
            # Whatever it is, it must not end this thread: all would wait for ever.
            _log.warning("waiting_cut_short", error=str(error))
            return set()
