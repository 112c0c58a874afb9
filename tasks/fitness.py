"""Whether a worker can work at all. One that cannot must leave: it would only spoil jobs."""

from collections.abc import Callable
from threading import Lock

import structlog

from myriad.errors import DeviceLost, ModelNotLoadable, ModelUnavailable, MyriadError

_MOST_FAILED_LOADS = 3

_log = structlog.get_logger(__name__)


class Fitness:
    """Hears how each stage ended; calls `leave` once, when this process is of no more use.

    That is so when its device is lost: after an error like a failed assertion in a
    kernel every further call fails, until a new process opens the device anew. And
    it is so when no model can be loaded: three loads in a row have failed, and not all of
    one model, unless that is the only one it could load (`models` is how many there are).
    What a job asks to be added to a model, a LoRA, says nothing of the worker.
    """

    def __init__(self, leave: Callable[[], None] = lambda: None, models: int = 2) -> None:
        self._leave = leave
        self._lock = Lock()
        self._reason: str | None = None
        self._fewest_models = min(models, 2)
        self._failed_loads: list[str] = []

    @property
    def reason(self) -> str | None:
        """Why the worker is of no use; None while it is."""
        return self._reason

    def worked(self) -> None:
        """A stage has ended well."""
        with self._lock:
            self._failed_loads.clear()

    def failed(self, error: MyriadError, model: str) -> None:
        """A stage of `model` has not."""
        with self._lock:
            if self._reason is None and self._is_unfit(error, model):
                self._reason = f"{error.code}: {error.message}"
                _log.error("worker_unfit", reason=self._reason)
                self._leave()

    def _is_unfit(self, error: MyriadError, model: str) -> bool:
        # An error with a field is about something the job names.
        if isinstance(error, ModelUnavailable | ModelNotLoadable) and error.field is None:
            self._failed_loads.append(model)
            is_general = len(set(self._failed_loads)) >= self._fewest_models
            return is_general and len(self._failed_loads) >= _MOST_FAILED_LOADS
        return isinstance(error, DeviceLost)
