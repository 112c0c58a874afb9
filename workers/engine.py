"""The device's one engine thread: all torch work of the process happens here."""

import os
import signal
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread
from typing import Any, Final, TypeVar

import structlog
import torch

from myriad.errors import ShuttingDown
from workers.batching.batcher import Batcher
from workers.batching.hub import Hub
from workers.batching.policy import EveryRow, RowPolicy
from workers.batching.request import Terms
from workers.batching.stopwatch import Stopwatch
from workers.device_loss import is_device_lost
from workers.figures import Figures

Result = TypeVar("Result")

_CPU: Final = torch.device("cpu")

_NEXT_STAGE_S: Final = 0.0005
"""How long a forward pass waits for the stage that may follow one that has just ended."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class _Submitted:
    work: Callable[[], Any]
    terms: Terms
    future: "Future[Any]" = field(default_factory=Future)


class Engine:
    """Runs what it is given on one thread without gradients.

    One thread, because on CPU every thread that touches torch gets an OpenMP team
    of its own and the teams spin against each other, and because a loaded model
    is then never used twice at once.

    A call runs until it parks at a module that `hub` was told of, or to its end.
    With park points requests share the device step by step; without any, calls
    run one after another, first come first served.
    """

    def __init__(
        self,
        threads: int = 1,
        max_rows: int = 1,
        *,
        policy: RowPolicy | None = None,
        stopwatch: Stopwatch | None = None,
        free_cache: Callable[[], None] = lambda: None,
        device: torch.device = _CPU,
        figures: Figures | None = None,
    ) -> None:
        self._threads, self._device, self._figures = threads, device, figures
        self._batcher = Batcher(max_rows, policy or EveryRow())
        self._stopwatch = stopwatch or Stopwatch()
        self._free_cache = free_cache
        self._submitted: SimpleQueue[_Submitted | None] = SimpleQueue()
        self._closing = Event()
        # Nothing may come into the queue between `close` emptying it and the thread's end.
        self._door = Lock()
        self._ready = Event()
        self._has_ended = False
        self._thread = Thread(target=self._loop, name="engine", daemon=True)
        self._thread.start()
        self._ready.wait()

    @property
    def hub(self) -> Hub:
        """Where requests meet; to be touched on the engine thread alone."""
        return self._hub

    def submit(self, work: Callable[[], Result], terms: Terms | None = None) -> "Future[Result]":
        """Queue `work`. Raises ShuttingDown once the engine is closed."""
        submitted = _Submitted(work, terms or Terms())
        with self._door:
            if self._closing.is_set():
                raise ShuttingDown("the engine is closed")
            self._submitted.put(submitted)
        return submitted.future

    def run(self, work: Callable[[], Result], terms: Terms | None = None) -> Result:
        """Queue `work` and wait for what it returns or raises.

        Raises:
            ShuttingDown: the engine was closed before the call's turn came.
        """
        return self.submit(work, terms).result()

    def close(self) -> None:
        """Let the calls that have begun finish, give up the others, end the thread."""
        with self._door:
            self._closing.set()
        for submitted in self._waiting():
            self._give_up(submitted)
        self._submitted.put(None)
        self._thread.join()
        self._batcher.policy.close()

    def _loop(self) -> None:
        if self._device.index is not None and self._device.type != "cpu":
            # Per thread: streams, and kernels that are not torch's own, go to the current one.
            torch.accelerator.set_device_index(self._device.index)
        torch.set_num_threads(self._threads)
        torch.set_grad_enabled(False)  # per thread, and for as long as the thread lives
        self._hub = Hub(self._batcher, self._stopwatch, self._free_cache, self._figures)
        self._ready.set()
        try:
            while not (self._closing.is_set() and self._hub.is_idle and self._submitted.empty()):
                self._take_in()
                self._tick()
        except BaseException:
            # A worker without its engine can do nothing but leave, so that another is started.
            _log.exception("engine_died")
            os.kill(os.getpid(), signal.SIGKILL)

    def _tick(self) -> None:
        try:
            self._hub.tick()
        except Exception as error:
            if not is_device_lost(error):
                raise
            self._hub.abandon(error)

    def _take_in(self) -> None:
        """Begin all that came in; if a stage has just ended, its job's next one too."""
        for submitted in self._arrivals(None if self._hub.is_idle else 0.0):
            self._begin(submitted)
        # Once and no more: a stream of short calls must not put off the forward pass.
        if self._has_ended and not self._hub.is_idle:
            for submitted in self._arrivals(_NEXT_STAGE_S):
                self._begin(submitted)
        self._has_ended = False

    def _arrivals(self, wait_s: float | None) -> list[_Submitted]:
        """All that came in; waits so long for the first, None: for ever."""
        try:
            first = self._submitted.get(wait_s != 0.0, wait_s)
        except Empty:
            return []
        return ([first] if first else []) + self._waiting()

    def _waiting(self) -> list[_Submitted]:
        """All that is in the queue, taken out."""
        waiting = []
        try:
            while True:
                waiting.append(self._submitted.get_nowait())
        except Empty:
            return [each for each in waiting if each is not None]

    def _begin(self, submitted: _Submitted) -> None:
        if self._closing.is_set():
            self._give_up(submitted)
        else:
            submitted.future.add_done_callback(self._note_end)
            self._hub.start(submitted.work, submitted.future, submitted.terms)

    def _note_end(self, _: "Future[Any]") -> None:
        self._has_ended = True

    @staticmethod
    def _give_up(submitted: _Submitted) -> None:
        submitted.future.set_exception(ShuttingDown("the engine closed before the stage began"))
