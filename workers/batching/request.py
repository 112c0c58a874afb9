"""One request in flight: a greenlet that runs a stage, and what the hub must know of it."""

import time
import traceback
from collections import Counter
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from greenlet import getcurrent, greenlet

from workers.batching.pace import FIRST_GUESS_S


@dataclass(frozen=True)
class Terms:
    """What a request asks of the hub; made before it starts.

    `steps` are how many it will take, of a forward pass or more each. `arrived` and `deadline` are
    moments of `time.monotonic()`: since when someone waits for it, and until when. A
    `reproducible` request runs in batches of a fixed number of rows, so that its bytes
    do not depend on its neighbours. `on_notice` is told in words what was done to get it through.
    `check` is called while it waits for others, and raises what ends it.
    """

    steps: int = 1
    arrived: float = field(default_factory=time.monotonic)
    deadline: float | None = None
    reproducible: bool = False
    on_notice: Callable[[str], None] = lambda text: None
    check: Callable[[], None] = lambda: None


class Request(greenlet):
    """Runs `work` until it parks or ends; its outcome goes to `future`.

    `variant` names the adapters that the shared modules must carry for it (None:
    none). While `is_skipping`, its calls are answered with zeros and no forward
    pass runs; while `is_apart`, they run at once and by themselves. `a_step` are the calls
    of its last step by their shape, and `turn_s` the seconds it last had the engine to itself.
    """

    def __init__(
        self, work: Callable[[], Any], future: "Future[Any]", parent: greenlet, terms: Terms
    ) -> None:
        super().__init__(self._settle, parent)
        self._work, self._future = work, future
        self.terms = terms
        self.variant: Hashable = None
        self.is_skipping = False
        self.is_apart = False
        self.steps_left = terms.steps
        self.a_step: Counter[Hashable] = Counter()
        self.turn_s = FIRST_GUESS_S
        self._calls: Counter[Hashable] = Counter()

    def called(self, shape: Hashable) -> None:
        """It calls a shared module."""
        self._calls[shape] += 1

    def stepped(self, steps_left: int) -> None:
        """It has done a step, and those that are left will be like that."""
        self.steps_left = steps_left
        self.a_step, self._calls = self._calls, Counter()

    def _settle(self) -> None:
        work, future = self._work, self._future
        # An error's frames hold this request, and this request would hold the error.
        del self._work, self._future
        try:
            result = work()
        except BaseException as error:
            del work
            _clear_frames(error)
            future.set_exception(error)
        else:
            future.set_result(result)
        del future


def _clear_frames(error: BaseException | None) -> None:
    """Of `error` and what led to it: they hold the request's tensors, on a device that is short."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


def current_request() -> Request | None:
    """The request whose greenlet this is, if any."""
    running = getcurrent()
    return running if isinstance(running, Request) else None
