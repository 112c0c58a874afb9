"""The twin for asyncio: the same words, and nothing stands still meanwhile."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable

import pytest

from myriad.client import AsyncClient, Client, Result
from myriad.errors import InvalidRequest, JobCanceled, Unavailable
from tests.client.lossy import DROP, Lossy


def run(url: str, talk: Callable[[AsyncClient], Awaitable[None]]) -> None:
    async def main() -> None:
        async with AsyncClient(url, retries=1) as client:
            await talk(client)

    asyncio.run(main())


def test_it_has_every_method_with_the_same_parameters() -> None:
    for name, method in inspect.getmembers(Client, inspect.isfunction):
        if not name.startswith("_"):
            twin = getattr(AsyncClient, name)
            parameters = inspect.signature(method).parameters
            assert inspect.signature(twin).parameters == parameters, name


def test_many_at_once(farm_url: str) -> None:
    async def talk(client: AsyncClient) -> None:
        asked = [client.generate("async", seed=seed, cache=False) for seed in range(4)]
        results: list[Result] = await asyncio.gather(*asked)
        assert [result.seeds for result in results] == [[0], [1], [2], [3]]
        assert all(result.files[0] for result in results)

    run(farm_url, talk)


def test_a_job_s_life(lossy: Lossy) -> None:
    async def talk(client: AsyncClient) -> None:
        lossy.trouble = [DROP]
        job = await client.submit("slow", num_inference_steps=150, cache=False)
        assert [each["id"] async for each in client.jobs("queued") if each["id"] == job["id"]] or (
            await client.get(job["id"])
        )["status"] == "running"
        with pytest.raises(TimeoutError):
            await client.wait(job["id"], timeout_s=0)
        await client.cancel(job["id"])
        with pytest.raises(JobCanceled):
            await client.result(await client.wait(job["id"]))
        await client.delete(job["id"])
        with pytest.raises(InvalidRequest):
            await client.submit("x", width=7)

    run(lossy.url, talk)


def test_batches(farm_url: str) -> None:
    async def talk(client: AsyncClient) -> None:
        asked = await client.batch(template={"prompt": "x"}, grid={"seed": [5, 6]})
        batch = await client.wait_batch(asked["id"])
        assert batch["counts"]["succeeded"] == 2
        assert len([job async for job in client.jobs(batch=batch["id"])]) == 2

    run(farm_url, talk)


def test_nobody_there() -> None:
    async def talk(client: AsyncClient) -> None:
        with pytest.raises(Unavailable):
            await client.models()

    run("http://127.0.0.1:1", talk)
