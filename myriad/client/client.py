"""The client that waits."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

import httpx

from myriad.client.call import Call, Flow, Pause, Reply
from myriad.client.flows import Flows, OnProgress
from myriad.client.picture import Picture
from myriad.client.result import Batch, Job, Result
from myriad.client.wire import TIMEOUT, request_of

_T = TypeVar("_T")


class Client:
    """Talks to one farm. Every method raises the MyriadError whose code the farm answered.

    Unavailable also means that nothing answers at `url`. What is lost on the way, and what
    the farm is too busy or away for (429, 502, 503, 504), is tried again up to `retries`
    times; a job is made once all the same. Who waits for a job, or for its pictures, bears
    an outage of `patience_s` seconds besides.

    `params` are the fields of the API's jobs (docs/api.md); those that are None are left
    out, and a picture may be a path, bytes, a PIL image, an input's id or a data URI. Use
    as a context manager, or call `close`. Threads may share it.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8600",
        key: str | None = None,
        *,
        retries: int = 4,
        patience_s: float = 60.0,
    ) -> None:
        self._flows = Flows(url, retries, patience_s)
        self._key = key
        self._http = httpx.Client(timeout=TIMEOUT)

    @property
    def url(self) -> str:
        """The farm's address, without a final slash."""
        return self._flows.url

    def generate(
        self,
        prompt: str,
        *,
        on_progress: OnProgress | None = None,
        timeout_s: float | None = None,
        **params: Any,
    ) -> Result:
        """Draw and bring the pictures. `on_progress` is called with the job as it moves.

        Raises what the job failed of, JobCanceled, and TimeoutError after `timeout_s`
        seconds: the job goes on then.
        """
        return self._run(self._flows.generate(prompt, on_progress, timeout_s, params))

    def submit(self, prompt: str, *, idempotency_key: str | None = None, **params: Any) -> Job:
        """Hand in a job. The same `idempotency_key` and request within a day get the same job."""
        return self._run(self._flows.submit(prompt, params, idempotency_key))

    def get(self, job_id: str) -> Job:
        """The job as it stands."""
        return self._run(self._flows.get(f"/jobs/{job_id}"))

    def wait(
        self,
        job_id: str,
        on_progress: OnProgress | None = None,
        timeout_s: float | None = None,
    ) -> Job:
        """The job once it is final. Raises TimeoutError after `timeout_s` seconds."""
        return self._run(self._flows.wait_job(job_id, on_progress, timeout_s))

    def result(self, job: Job) -> Result:
        """The pictures of a final job. Raises what it failed of, and JobCanceled."""
        return self._run(self._flows.result(job))

    def cancel(self, job_id: str) -> Job:
        """Cancel the job; one that has ended stays as it is."""
        return self._run(self._flows.post(f"/jobs/{job_id}/cancel"))

    def delete(self, job_id: str) -> None:
        """Delete the job and all that is kept of it; a live one is ended first."""
        self._run(self._flows.delete(job_id))

    def preview(self, job_id: str) -> bytes | None:
        """The picture as far as it is drawn, JPEG; None where there is nothing to see."""
        return self._run(self._flows.preview(job_id))

    def jobs(
        self, status: str | None = None, model: str | None = None, batch: str | None = None
    ) -> Iterator[Job]:
        """All jobs of this caller, or of its batch, newest first, fetched page by page."""
        return self._pages("jobs", status=status, model=model, batch=batch)

    def batch(
        self,
        jobs: Sequence[Mapping[str, Any]] | None = None,
        *,
        template: Mapping[str, Any] | None = None,
        grid: Mapping[str, Sequence[Any]] | None = None,
        webhook: str | None = None,
        metadata: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
    ) -> Batch:
        """Hand in many jobs at once, all or none: a list, or a template and what changes.

        Each job is its fields, `prompt` among them.
        """
        more = {"webhook": webhook, "metadata": metadata}
        return self._run(self._flows.batch(jobs, template, grid, more, idempotency_key))

    def get_batch(self, batch_id: str) -> Batch:
        """The batch as it stands; its jobs are `jobs(batch=…)`."""
        return self._run(self._flows.get(f"/batches/{batch_id}"))

    def wait_batch(
        self,
        batch_id: str,
        on_progress: OnProgress | None = None,
        timeout_s: float | None = None,
    ) -> Batch:
        """The batch once its last job has ended. Raises TimeoutError."""
        return self._run(self._flows.wait_batch(batch_id, on_progress, timeout_s))

    def cancel_batch(self, batch_id: str) -> Batch:
        """Cancel those of its jobs that have not ended."""
        return self._run(self._flows.post(f"/batches/{batch_id}/cancel"))

    def batches(self) -> Iterator[Batch]:
        """All batches of this caller, newest first, fetched page by page."""
        return self._pages("batches")

    def models(self) -> list[dict[str, Any]]:
        """The catalogue: each model's name, defaults, limits and languages."""
        return self._run(self._flows.models())

    def upload(self, picture: Picture, name: str = "picture") -> dict[str, Any]:
        """Hand in a PNG, JPEG or WebP picture; its `id` goes into a job's `image`, `mask` …."""
        return self._run(self._flows.upload(picture, name))

    def download(self, url: str) -> bytes:
        """The bytes behind an address of a job's `output`; the API key is not sent there."""
        return self._run(self._flows.download(url))

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _pages(self, what: str, **query: str | None) -> Iterator[dict[str, Any]]:
        given = {name: value for name, value in query.items() if value is not None}
        while True:
            page = self._run(self._flows.get(f"/{what}", **given))
            yield from page[what]
            if not page["cursor"]:
                return
            given["cursor"] = page["cursor"]

    def _run(self, flow: Flow[_T]) -> _T:
        reply: Reply = None
        while True:
            try:
                step = flow.send(reply)
            except StopIteration as end:
                result: _T = end.value
                return result
            reply = self._do(step)

    def _do(self, step: Call | Pause) -> Reply:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return None
        try:
            request = request_of(self._http, step, self._key)
            return self._http.send(request, follow_redirects=step.is_link)
        except httpx.HTTPError as error:
            return error
