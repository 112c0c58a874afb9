"""Keeping what is done, however long the database or the object store is away."""

import time
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import TypeVar

import structlog

from myriad.errors import DatabaseUnavailable, Preempted, ShuttingDown, StorageUnavailable
from tasks.control import LeaseControl

Result = TypeVar("Result")

_PAUSE_S = 1.0
_LEAVING_S = 10.0

_log = structlog.get_logger(__name__)


class Insistence:
    """Tries again each second: minutes of work hang on one commit, or on one output.

    A process that is leaving has ten seconds. Then DatabaseUnavailable or
    StorageUnavailable is let out, and others do the work again.
    """

    def __init__(self, is_leaving: Callable[[], bool]) -> None:
        self._is_leaving = is_leaving

    def on_commit(self, control: LeaseControl, write: Callable[[], Result]) -> Result:
        """`write()` once the database answers; until then nobody else can take the lease over."""
        return self._insist(write, "commit_put_off", control.touch)

    def on_storing(self, control: LeaseControl, store: Callable[[], Result]) -> Result:
        """`store()` once the object store answers, unless the job is canceled or too late by then.

        Raises LeaseLost and DeadlineExceeded; the lease must be held meanwhile.
        """

        def on_wait() -> None:
            control.touch()
            with suppress(ShuttingDown, Preempted):
                control.raise_if_stopped()

        return self._insist(store, "output_put_off", on_wait)

    def _insist(
        self, write: Callable[[], Result], what: str, on_wait: Callable[[], None]
    ) -> Result:
        began = monotonic()
        while True:
            try:
                return write()
            except (DatabaseUnavailable, StorageUnavailable) as error:
                waited_s = monotonic() - began
                if self._is_leaving() and waited_s > _LEAVING_S:
                    raise
                _log.warning(what, error=error.message, waited_s=round(waited_s))
                on_wait()
                time.sleep(_PAUSE_S)
