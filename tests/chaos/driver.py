"""The callers: they ask at a set pace whatever the farm does, and write down every answer."""

import heapq
import itertools
import time
from collections.abc import Callable
from threading import Condition, Event, Thread
from typing import Any

import httpx

from tests.chaos.history import History
from tests.chaos.order import Order

_THREADS = 12
_AGAIN_S = 0.3
_TIMEOUT_S = 15.0
_Do = Callable[[], None]


class Driver:
    """Open loop: what is due is done when it is due, by whichever thread is free.

    A request without an answer of 2xx is sent again with its idempotency key, until
    there is one.
    """

    def __init__(self, url: str, history: History) -> None:
        self._history = history
        self._client = httpx.Client(base_url=url, timeout=_TIMEOUT_S, trust_env=False)
        self._due: list[tuple[float, int, _Do]] = []
        self._number = itertools.count()
        self._open = 0
        self._changed = Condition()
        self._end = Event()
        self.accepted: list[str] = []
        self._threads = [Thread(target=self._work, daemon=True) for _ in range(_THREADS)]
        for thread in self._threads:
            thread.start()

    def ask(self, order: Order, after_s: float) -> None:
        """Post the order `after_s` seconds from now, and do what goes with it."""
        self._later(after_s, lambda: self._post(order))

    @property
    def is_done(self) -> bool:
        with self._changed:
            return self._open == 0

    def close(self) -> None:
        self._end.set()
        with self._changed:
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()
        self._client.close()

    def _later(self, after_s: float, do: _Do) -> None:
        with self._changed:
            heapq.heappush(self._due, (time.monotonic() + after_s, next(self._number), do))
            self._open += 1
            self._changed.notify()

    def _work(self) -> None:
        while (do := self._next()) is not None:
            do()
            with self._changed:
                self._open -= 1

    def _next(self) -> _Do | None:
        with self._changed:
            while not self._end.is_set():
                pause_s = self._due[0][0] - time.monotonic() if self._due else 1.0
                if pause_s <= 0:
                    return heapq.heappop(self._due)[2]
                self._changed.wait(min(pause_s, 1.0))
        return None

    def _post(self, order: Order, is_repeat: bool = False) -> None:
        headers = {"Idempotency-Key": order.key}
        self._history.tell("asked", key=order.key, kind=order.kind)
        asked_at = time.time()
        answer = self._send("POST", "/api/v1/jobs", json=order.body, headers=headers)
        if answer is None or not answer.is_success:
            self._later(_AGAIN_S, lambda: self._post(order, is_repeat))
            return
        job = answer.json()
        self._history.tell(
            "accepted", key=order.key, kind=order.kind, job=job["id"], body=order.body
        )
        self._saw(job, asked_at)
        if not is_repeat:
            self.accepted.append(job["id"])
            self._plan(order, job["id"])

    def _plan(self, order: Order, job_id: str) -> None:
        if order.repeat_after_s is not None:
            self._later(order.repeat_after_s, lambda: self._post(order, is_repeat=True))
        if order.cancel_after_s is not None:
            self._later(order.cancel_after_s, lambda: self._cancel(job_id))
        for after_s in order.looks_after_s:
            self._later(after_s, lambda: self._look(job_id))

    def _look(self, job_id: str) -> None:
        asked_at = time.time()
        answer = self._send("GET", f"/api/v1/jobs/{job_id}")
        if answer is not None and answer.is_success:
            self._saw(answer.json(), asked_at)

    def _cancel(self, job_id: str) -> None:
        asked_at = time.time()
        answer = self._send("POST", f"/api/v1/jobs/{job_id}/cancel")
        if answer is not None and answer.is_success:
            self._saw(answer.json(), asked_at)

    def _saw(self, job: dict[str, Any], asked_at: float) -> None:
        self._history.tell("seen", job=job["id"], status=job["status"], asked_at=asked_at)

    def _send(self, method: str, path: str, **more: Any) -> httpx.Response | None:
        """The answer, or None if there was none."""
        try:
            answer = self._client.request(method, path, **more)
        except httpx.HTTPError as error:
            self._history.tell("no answer", why=type(error).__name__)
            return None
        if not answer.is_success:
            self._history.tell("refusal", status=answer.status_code, body=answer.text[:200])
        return answer
