"""Makes room for a more urgent job when a worker that denoises is full."""

from threading import Event, Thread
from time import monotonic

import structlog

from myriad.claimant import Claimant
from myriad.db.preempt import find_contest
from myriad.errors import MyriadError, Preempted
from myriad.farm import Farm
from myriad.job import Stage
from tasks.control import LeaseControl
from tasks.heart import Heart

_LOOK_EVERY_S = 0.5
_PATIENCE_S = 1.0
_CONTEST_S = 30

_log = structlog.get_logger(__name__)


class Preemption:
    """Looks every half second, with one indexed read, and only while every slot is taken.

    A job that still waits a moment after it was first seen has found no free
    slot anywhere. Then the least urgent denoise of one worker of the farm is told to
    stop; the freed slot's next hint finds the urgent job (`myriad.db.claim`).
    """

    def __init__(self, farm: Farm, who: Claimant, slots: int, heart: Heart) -> None:
        self._farm, self._who, self._slots, self._heart = farm, who, slots, heart
        self._seen: tuple[str, float] | None = None
        self._closing = Event()
        self._thread = Thread(target=self._loop, name="preemption", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._closing.set()
        self._thread.join()

    def _loop(self) -> None:
        while not self._closing.wait(_LOOK_EVERY_S):
            try:
                self._look()
            except MyriadError as error:
                _log.debug("preemption_put_off", error=error.message)
            except Exception:
                _log.exception("preemption_put_off")

    def _look(self) -> None:
        able = self._able_to_stop()
        contest = find_contest(self._farm.db, self._who, able)
        if contest is None:
            self._seen = None
        elif self._has_waited(contest.urgent_id) and self._farm.signals.enter_contest(
            contest.urgent_id, _CONTEST_S
        ):
            _log.info("preempting", job=contest.victim_id, urgent=contest.urgent_id)
            able[contest.victim_id].stop(Preempted("a more urgent job needs the slot"))

    def _able_to_stop(self) -> dict[str, LeaseControl]:
        """Denoises by job; none while a slot is free, or is just being freed."""
        held = self._heart.held()
        if len(held) < self._slots or any(control.is_stopped for control in held):
            return {}
        return {
            control.lease.job_id: control
            for control in held
            if control.lease.stage is Stage.DENOISE
        }

    def _has_waited(self, job_id: str) -> bool:
        if self._seen is None or self._seen[0] != job_id:
            self._seen = (job_id, monotonic())
        return monotonic() - self._seen[1] >= _PATIENCE_S
