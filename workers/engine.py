"""The device's one engine thread: all torch work of the process happens here."""

from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import TypeVar

import torch

from myriad.errors import ShuttingDown

Result = TypeVar("Result")


class Engine:
    """Runs what it is given, first come first served, on one thread without gradients.

    One thread, because on CPU every thread that touches torch gets an OpenMP team
    of its own and the teams spin against each other, and because a loaded model
    is then never used twice at once.

    A call occupies the thread until it returns. The place to share the device
    step by step is here: a hub that runs each call as a greenlet, parks them at
    the denoiser's `forward` and runs one batch for all that fit together. Callers
    keep submitting whole calls and waiting for their futures, so nothing outside
    this class changes with it.
    """

    def __init__(self, threads: int = 1) -> None:
        self._threads = threads
        self._executor = ThreadPoolExecutor(1, "engine", initializer=self._prepare)

    def _prepare(self) -> None:
        torch.set_num_threads(self._threads)
        torch.set_grad_enabled(False)  # per thread, and for as long as the thread lives

    def submit(self, call: Callable[[], Result]) -> Future[Result]:
        """Queue `call`. Raises ShuttingDown once the engine is closed."""
        try:
            return self._executor.submit(call)
        except RuntimeError as error:
            raise ShuttingDown("the engine is closed") from error

    def run(self, call: Callable[[], Result]) -> Result:
        """Queue `call` and wait for what it returns or raises.

        Raises:
            ShuttingDown: the engine was closed before the call's turn came.
        """
        try:
            return self.submit(call).result()
        except CancelledError as error:
            raise ShuttingDown("the engine closed before the stage began") from error

    def close(self) -> None:
        """Let the running call finish, give up those that wait, end the thread."""
        self._executor.shutdown(wait=True, cancel_futures=True)
