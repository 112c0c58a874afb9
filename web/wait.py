"""Holding answers until their jobs are final, within reason."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Condition, Event, Lock, Thread
from typing import Self

import structlog

from myriad.errors import Busy
from web.places import Places

_LOOK_EVERY_S = 0.04
_FREE_THREADS = 8

_log = structlog.get_logger(__name__)

Live = Callable[[set[str]], set[str]]
"""Those of some jobs that have not ended."""


@dataclass(frozen=True, eq=False)
class _Guest:
    job_id: str
    is_over: Event = field(default_factory=Event)


class Seat:
    """One of the places to wait at, held by a caller until it is left."""

    def __init__(self, room: "WaitingRoom", scope: str) -> None:
        self._room = room
        self._scope = scope
        self._leaving = Lock()
        self._is_left = False

    def wait(self, job_id: str, seconds: float) -> bool:
        """Return once the job is final or time is up, and say whether it was the former.

        Also true if that cannot be told: whoever looks at the job then learns why.
        """
        return self._room.watch(job_id, seconds)

    def leave(self) -> None:
        """Make room for another; a second time does nothing."""
        with self._leaving:
            if not self._is_left:
                self._room.free(self._scope)
            self._is_left = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()


def seats_among(threads: int) -> int:
    """How many of a front end's threads may wait: all but eight, at most half of a few."""
    return max(1, threads - min(_FREE_THREADS, (threads + 1) // 2))


class WaitingRoom:
    """Lets so many threads wait that some are always left to serve the others.

    One thread looks for all of them: each look is one short query, however many wait.
    """

    def __init__(self, threads: int, live: Live, are_shared: Callable[[], bool]) -> None:
        self._seats = Places(seats_among(threads))
        self._live = live
        self._are_shared = are_shared
        self._guests: set[_Guest] = set()
        self._changed = Condition()
        self._has_news = self._is_closing = False
        self._thread = Thread(target=self._loop, name="waiting-room", daemon=True)
        self._thread.start()

    def take_seat(self, scope: str) -> Seat:
        """A place to wait at for this caller. Ask before a job is accepted.

        Raises Busy if there is none, or where the caller has its part of them already.
        """
        if not self._seats.take(scope, self._are_shared):
            raise Busy("too many are waiting for their pictures; try again")
        return Seat(self, scope)

    def wait(self, job_id: str, seconds: float, scope: str) -> None:
        """Return once the job is final, when time is up, or at once if there is no seat."""
        if seconds <= 0:
            return
        with suppress(Busy), self.take_seat(scope) as seat:
            seat.wait(job_id, seconds)

    def watch(self, job_id: str, seconds: float) -> bool:
        """What a seat is for; who has none has no business here."""
        guest = _Guest(job_id)
        with self._changed:
            self._guests.add(guest)
            self._has_news = True  # the cache may have ended it already
            self._changed.notify()
        try:
            return self._is_closing or guest.is_over.wait(seconds)
        finally:
            with self._changed:
                self._guests.discard(guest)

    def free(self, scope: str) -> None:
        """A seat of this caller was left."""
        self._seats.leave(scope)

    def close(self) -> None:
        """Let everybody go."""
        with self._changed:
            self._is_closing = self._has_news = True
            self._changed.notify()
        self._thread.join()
        for guest in self._guests.copy():
            guest.is_over.set()

    def _loop(self) -> None:
        while not self._is_closing:
            with self._changed:
                self._changed.wait_for(lambda: self._guests or self._is_closing)
                guests, self._has_news = set(self._guests), False
            live = self._look({guest.job_id for guest in guests})
            for guest in guests:
                if guest.job_id not in live:
                    guest.is_over.set()
            with self._changed:
                self._changed.wait_for(lambda: self._has_news, _LOOK_EVERY_S)

    def _look(self, job_ids: set[str]) -> set[str]:
        try:
            return self._live(job_ids)
        except Exception as error:
            # Whatever it is, it must not end this thread: all would wait for ever.
            _log.warning("waiting_cut_short", error=str(error))
            return set()
