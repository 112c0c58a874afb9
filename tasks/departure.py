"""How a worker leaves: signed off at once, and gone in time whatever its stages do."""

import os
import time
from collections.abc import Callable
from threading import Thread

import structlog

from myriad.claimant import Claimant
from myriad.db.commit import hand_back
from myriad.db.workers import forget_worker, mark_unfit
from myriad.errors import MyriadError
from myriad.farm import Farm
from myriad.up.process import UNFIT_EXIT
from tasks.control import LeaseControl
from tasks.fitness import Fitness
from tasks.heart import Heart

_HUNG_EXIT = 1

_log = structlog.get_logger(__name__)


class Departure:
    """Begun by SIGTERM; a process that has ended in good order by itself needs no more of it.

    `end` is called with the exit code when the time is up.
    """

    def __init__(
        self,
        farm: Farm,
        who: Claimant,
        heart: Heart,
        fitness: Fitness,
        end: Callable[[int], object] = os._exit,
    ) -> None:
        self._farm, self._who, self._heart, self._fitness = farm, who, heart, fitness
        self._end = end
        self._has_begun = False

    @property
    def exit_code(self) -> int:
        if self._fitness.reason:
            return UNFIT_EXIT
        return _HUNG_EXIT if self._heart.has_hung else 0

    def begin(self) -> None:
        """Stop every stage at its next step; returns at once, as a signal handler must."""
        self._heart.drain()
        if not self._has_begun:
            self._has_begun = True
            Thread(target=self._see_off, name="departure", daemon=True).start()

    def sign_off(self) -> None:
        """Leave the register of live workers; who was unfit stays on it with the reason."""
        try:
            if self._fitness.reason:
                mark_unfit(self._farm.db, self._who.name, self._fitness.reason)
            else:
                forget_worker(self._farm.db, self._who.name)
        except MyriadError as error:
            _log.warning("not_signed_off", worker=self._who.name, error=error.message)

    def _see_off(self) -> None:
        deadline = time.monotonic() + self._farm.settings.drain_s
        self.sign_off()
        # What has not begun waits for its turn, and if the engine hangs none ever comes.
        for control in self._heart.renewed():
            if not control.has_begun:
                self._hand_back(control)
        time.sleep(max(0.0, deadline - time.monotonic()))
        # A step that takes minutes, a model that loads: to wait longer is to be killed, which
        # would cost each of these jobs a try. What they still do comes too late to count.
        try:
            for control in self._heart.renewed():
                if self._hand_back(control):
                    _log.warning("left_behind", job=control.lease.job_id)
        finally:
            self._end(self.exit_code)

    def _hand_back(self, control: LeaseControl) -> bool:
        try:
            return hand_back(self._farm.db, control.lease, notes=control.notes)
        except MyriadError as error:
            _log.warning("not_handed_back", job=control.lease.job_id, error=error.message)
        except Exception:
            _log.exception("not_handed_back", job=control.lease.job_id)
        return False
