"""Publishes how far stages are, and previews of what they draw."""

from collections.abc import Callable, Sequence
from threading import Event, Thread

import structlog

from myriad.signals import Signals
from tasks.control import LeaseControl

_EVERY_S = 0.25

_log = structlog.get_logger(__name__)


class Teller:
    """A thread of its own: a broker that hangs must cost neither a lease nor a step."""

    def __init__(self, signals: Signals, held: Callable[[], Sequence[LeaseControl]]) -> None:
        self._signals, self._held = signals, held
        self._closing = Event()
        self._thread = Thread(target=self._loop, name="teller", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Say no more; what was not yet told stays untold."""
        self._closing.set()

    def _loop(self) -> None:
        while not self._closing.wait(_EVERY_S):
            try:
                for control in self._held():
                    self._tell(control)
            except Exception:
                _log.exception("progress_not_told")

    def _tell(self, control: LeaseControl) -> None:
        fraction, preview = control.take_fraction(), control.take_preview()
        if fraction is not None:
            self._signals.set_progress(control.lease.job_id, fraction)
        if preview is not None and not control.is_stopped:
            self._signals.set_preview(control.lease.job_id, preview)
