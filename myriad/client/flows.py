"""Every conversation that a client can have with a farm, without the waiting."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import inf
from typing import Any, TypeVar
from uuid import uuid4

from myriad.client.answer import body_of, check_success, exchange
from myriad.client.call import Call, Flow, Pause
from myriad.client.picture import Picture, Uploads, data_of
from myriad.client.result import FINAL, Batch, Job, Result
from myriad.errors import NotFound, Unavailable

OnProgress = Callable[[dict[str, Any]], None]

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 1.0

_T = TypeVar("_T")


class Flows:
    """The farm at `url`; each exchange is tried again up to `retries` times.

    Who waits for a job or for its pictures bears it for `patience_s` seconds that the farm
    is away.
    """

    def __init__(self, url: str, retries: int, patience_s: float) -> None:
        self.url = url.rstrip("/")
        self._retries = retries
        self._patience_s = patience_s

    def submit(self, prompt: str, params: Mapping[str, Any], key: str | None = None) -> Flow[Job]:
        values = yield from Uploads(self).named({"prompt": prompt, **params})
        return (yield from self._once("/jobs", values, key))

    def batch(
        self,
        jobs: Sequence[Mapping[str, Any]] | None,
        template: Mapping[str, Any] | None,
        grid: Mapping[str, Sequence[Any]] | None,
        more: Mapping[str, Any],
        key: str | None = None,
    ) -> Flow[Batch]:
        uploads = Uploads(self)
        body: dict[str, Any] = {name: value for name, value in more.items() if value is not None}
        if jobs is not None:
            body["jobs"] = []
            for job in jobs:
                body["jobs"].append((yield from uploads.named(job)))
        if template is not None:
            body["template"] = yield from uploads.named(template)
        if grid is not None:
            body["grid"] = yield from _named_in_grid(uploads, grid)
        return (yield from self._once("/batches", body, key))

    def upload(self, picture: Picture, name: str) -> Flow[dict[str, Any]]:
        return (yield from self._json("POST", "/inputs", files={"file": (name, data_of(picture))}))

    def get(self, path: str, **query: str) -> Flow[dict[str, Any]]:
        return (yield from self._json("GET", path, query=query))

    def post(self, path: str) -> Flow[dict[str, Any]]:
        return (yield from self._json("POST", path))

    def delete(self, job_id: str) -> Flow[None]:
        yield from exchange(self._call("DELETE", f"/jobs/{job_id}"), self._retries)

    def preview(self, job_id: str) -> Flow[bytes | None]:
        call = self._call("GET", f"/jobs/{job_id}/preview")
        try:
            return (yield from exchange(call, self._retries)).content
        except NotFound:
            return None

    def models(self) -> Flow[list[dict[str, Any]]]:
        found: list[dict[str, Any]] = (yield from self.get("/models"))["models"]
        return found

    def wait(
        self,
        path: str,
        on_progress: OnProgress | None,
        timeout_s: float | None,
        is_final: Callable[[Mapping[str, Any]], bool],
    ) -> Flow[dict[str, Any]]:
        """The job or batch behind `path` once it is final. Raises TimeoutError, Unavailable."""
        deadline = inf if timeout_s is None else time.monotonic() + timeout_s
        pause_s = _FIRST_PAUSE_S
        while True:
            now = yield from self._patiently(partial(self.get, path), deadline)
            if on_progress:
                on_progress(now)
            if is_final(now):
                return now
            if time.monotonic() >= deadline:
                raise TimeoutError(f"{path.removeprefix('/')} is still {now['status']}")
            yield Pause(pause_s)
            pause_s = min(pause_s * 1.5, _LONGEST_PAUSE_S)

    def wait_job(
        self, job_id: str, on_progress: OnProgress | None, timeout_s: float | None
    ) -> Flow[Job]:
        return (yield from self.wait(f"/jobs/{job_id}", on_progress, timeout_s, _is_ended_job))

    def wait_batch(
        self, batch_id: str, on_progress: OnProgress | None, timeout_s: float | None
    ) -> Flow[Batch]:
        path = f"/batches/{batch_id}"
        return (yield from self.wait(path, on_progress, timeout_s, _is_ended_batch))

    def download(self, url: str) -> Flow[bytes]:
        call = Call("GET", url, is_link=True)
        return (yield from self._patiently(partial(exchange, call, self._retries))).content

    def result(self, job: Job) -> Flow[Result]:
        """What the final job came to. Raises what it failed of."""
        check_success(job)
        files = []
        for image in job["output"]:
            files.append((yield from self.download(image["url"])))  # noqa: PERF401 - it yields
        return Result(job, tuple(files))

    def generate(
        self,
        prompt: str,
        on_progress: OnProgress | None,
        timeout_s: float | None,
        params: Mapping[str, Any],
    ) -> Flow[Result]:
        job = yield from self.submit(prompt, params)
        return (
            yield from self.result((yield from self.wait_job(job["id"], on_progress, timeout_s)))
        )

    def _patiently(self, ask: Callable[[], Flow[_T]], deadline: float = inf) -> Flow[_T]:
        """What is answered once the farm is back. Raises Unavailable if that takes too long."""
        until = min(time.monotonic() + self._patience_s, deadline)
        while True:
            try:
                return (yield from ask())
            except Unavailable:
                if time.monotonic() >= until:
                    raise
            yield Pause(_LONGEST_PAUSE_S)

    def _once(self, path: str, body: Mapping[str, Any], key: str | None) -> Flow[dict[str, Any]]:
        """Post under that idempotency key or a fresh one: however often, it is taken in once."""
        key = key or uuid4().hex
        return (yield from self._json("POST", path, json=body, idempotency_key=key))

    def _json(self, method: str, path: str, **options: Any) -> Flow[dict[str, Any]]:
        call = self._call(method, path, **options)
        return body_of((yield from exchange(call, self._retries)))

    def _call(self, method: str, path: str, **options: Any) -> Call:
        return Call(method, f"{self.url}/api/v1{path}", **options)


def _named_in_grid(
    uploads: Uploads, grid: Mapping[str, Sequence[Any]]
) -> Flow[dict[str, list[Any]]]:
    """The grid with an input's id for each picture."""
    named: dict[str, list[Any]] = {}
    for name, values in grid.items():
        named[name] = []
        for value in values:
            named[name].append((yield from uploads.named({name: value})).get(name))
    return named


def _is_ended_job(job: Mapping[str, Any]) -> bool:
    return job["status"] in FINAL


def _is_ended_batch(batch: Mapping[str, Any]) -> bool:
    return batch["completed_at"] is not None
