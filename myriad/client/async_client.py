"""The same client for asyncio."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, TypeVar

import httpx

from myriad.client.call import Call, Flow, Pause, Reply
from myriad.client.flows import Flows, OnProgress
from myriad.client.picture import Picture
from myriad.client.result import Batch, Job, Result
from myriad.client.wire import TIMEOUT, request_of

_T = TypeVar("_T")


class AsyncClient:
    """As `Client`, method for method; callbacks are called, not awaited.

    A job goes on when the coroutine that waits for it is canceled.
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
        self._http = httpx.AsyncClient(timeout=TIMEOUT)

    @property
    def url(self) -> str:
        """The farm's address, without a final slash."""
        return self._flows.url

    async def generate(
        self,
        prompt: str,
        *,
        on_progress: OnProgress | None = None,
        timeout_s: float | None = None,
        **params: Any,
    ) -> Result:
        return await self._run(self._flows.generate(prompt, on_progress, timeout_s, params))

    async def submit(
        self, prompt: str, *, idempotency_key: str | None = None, **params: Any
    ) -> Job:
        return await self._run(self._flows.submit(prompt, params, idempotency_key))

    async def get(self, job_id: str) -> Job:
        return await self._run(self._flows.get(f"/jobs/{job_id}"))

    async def wait(
        self,
        job_id: str,
        on_progress: OnProgress | None = None,
        timeout_s: float | None = None,
    ) -> Job:
        return await self._run(self._flows.wait_job(job_id, on_progress, timeout_s))

    async def result(self, job: Job) -> Result:
        return await self._run(self._flows.result(job))

    async def cancel(self, job_id: str) -> Job:
        return await self._run(self._flows.post(f"/jobs/{job_id}/cancel"))

    async def delete(self, job_id: str) -> None:
        await self._run(self._flows.delete(job_id))

    async def preview(self, job_id: str) -> bytes | None:
        return await self._run(self._flows.preview(job_id))

    def jobs(
        self, status: str | None = None, model: str | None = None, batch: str | None = None
    ) -> AsyncIterator[Job]:
        return self._pages("jobs", status=status, model=model, batch=batch)

    async def batch(
        self,
        jobs: Sequence[Mapping[str, Any]] | None = None,
        *,
        template: Mapping[str, Any] | None = None,
        grid: Mapping[str, Sequence[Any]] | None = None,
        webhook: str | None = None,
        metadata: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
    ) -> Batch:
        more = {"webhook": webhook, "metadata": metadata}
        return await self._run(self._flows.batch(jobs, template, grid, more, idempotency_key))

    async def get_batch(self, batch_id: str) -> Batch:
        return await self._run(self._flows.get(f"/batches/{batch_id}"))

    async def wait_batch(
        self,
        batch_id: str,
        on_progress: OnProgress | None = None,
        timeout_s: float | None = None,
    ) -> Batch:
        return await self._run(self._flows.wait_batch(batch_id, on_progress, timeout_s))

    async def cancel_batch(self, batch_id: str) -> Batch:
        return await self._run(self._flows.post(f"/batches/{batch_id}/cancel"))

    def batches(self) -> AsyncIterator[Batch]:
        return self._pages("batches")

    async def models(self) -> list[dict[str, Any]]:
        return await self._run(self._flows.models())

    async def upload(self, picture: Picture, name: str = "picture") -> dict[str, Any]:
        return await self._run(self._flows.upload(picture, name))

    async def download(self, url: str) -> bytes:
        return await self._run(self._flows.download(url))

    async def close(self) -> None:
        await self._http.aclose()

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _pages(self, what: str, **query: str | None) -> AsyncIterator[dict[str, Any]]:
        given = {name: value for name, value in query.items() if value is not None}
        while True:
            page = await self._run(self._flows.get(f"/{what}", **given))
            for each in page[what]:
                yield each
            if not page["cursor"]:
                return
            given["cursor"] = page["cursor"]

    async def _run(self, flow: Flow[_T]) -> _T:
        reply: Reply = None
        while True:
            try:
                step = flow.send(reply)
            except StopIteration as end:
                result: _T = end.value
                return result
            reply = await self._do(step)

    async def _do(self, step: Call | Pause) -> Reply:
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return None
        try:
            request = request_of(self._http, step, self._key)
            return await self._http.send(request, follow_redirects=step.is_link)
        except httpx.HTTPError as error:
            return error
