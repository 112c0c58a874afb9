"""Long jobs among neighbours: previews, kills, preemption and deadlines in a whole farm."""

import io
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from myriad.client import FINAL, Client
from tests.e2e.conftest import LiveFarm
from tests.e2e.drawing import Job, digests, draw, kill_workers, outcomes, pictures
from tests.processes import wait_until

pytestmark = pytest.mark.timeout(300)
# Two images are the four rows of a reproducible pass: nothing is computed in vain.
LONG = {
    "prompt": "a large yellow star on a blue background",
    "seed": 21,
    "num_images": 2,
    "num_inference_steps": 150,
    "reproducible": True,
    "cache": False,
}
SLOT_COUNT = 8


@dataclass(frozen=True)
class Undisturbed:
    """The long job when it ran by itself, and what was seen of it before it had ended."""

    job: Job
    previews: list[bytes]
    panels: list[str]


@pytest.fixture(scope="module")
def undisturbed(live_farm: LiveFarm) -> Undisturbed:
    previews: list[bytes] = []
    panels: list[str] = []
    with Client(live_farm.url) as client:
        urls = client.submit(**LONG)["urls"]

        def is_over() -> bool:
            preview = httpx.get(urls["preview"], trust_env=False)
            if preview.is_success:
                previews.append(preview.content)
                panels.append(httpx.get(f"{urls['web']}/panel", trust_env=False).text)
            return httpx.get(urls["get"], trust_env=False).json()["status"] in FINAL

        wait_until(is_over, what="it ends")
        job = httpx.get(urls["get"], trust_env=False).json()
    assert job["status"] == "succeeded", job["error"]
    return Undisturbed(job, previews, panels)


@contextmanager
def running(client: Client, *asked: Job) -> Iterator[list[Job]]:
    """These jobs, which are canceled at the end if need be."""
    jobs = [client.submit(**each) for each in asked]
    try:
        yield jobs
    finally:
        for job in jobs:
            client.cancel(job["id"])


def test_the_picture_is_seen_while_it_is_drawn(undisturbed: Undisturbed, client: Client) -> None:
    assert len(set(undisturbed.previews)) >= 2
    final, shown = colours(pictures(client, undisturbed.job)[0]), []
    for data in undisturbed.previews:
        preview = Image.open(io.BytesIO(data), formats=("JPEG",))
        assert preview.size == (128, 128)
        shown.append(np.abs(colours(preview) - final).mean())
    assert shown[-1] < 40
    assert shown[-1] < shown[0] * 2 / 3
    image = re.compile(r'<img class="preview"[^>]* src="/jobs/')
    assert all(image.search(panel) for panel in undisturbed.panels[:-1])
    gone = httpx.get(undisturbed.job["urls"]["preview"], trust_env=False)
    assert gone.status_code == 404


def colours(picture: Image.Image) -> Any:
    """Of 8 x 8 fields, in levels of 255."""
    return np.asarray(picture.convert("RGB").resize((8, 8)), np.float32)


def test_reproducible_is_the_same_whatever_runs_beside_it(
    undisturbed: Undisturbed, client: Client
) -> None:
    neighbours = [
        {"prompt": "一个红色圆形", "num_inference_steps": 30, "cache": False},
        {"prompt": "a ring", "width": 96, "height": 96, "num_images": 3, "cache": False},
        {"prompt": "a heart", "loras": [{"name": "shapes-night"}], "reproducible": True},
        {"prompt": LONG["prompt"], "num_inference_steps": 25, "reproducible": True, "seed": 3},
    ]
    with running(client, *neighbours), ThreadPoolExecutor(1) as thread:
        drawn = thread.submit(lambda: draw(client, **LONG))
        job = drawn.result()
    assert job["id"] != undisturbed.job["id"]
    assert digests(job) == digests(undisturbed.job)


def test_a_killed_worker_s_job_goes_on_from_its_checkpoint(
    undisturbed: Undisturbed, client: Client, live_farm: LiveFarm
) -> None:
    job_id = client.submit(**LONG)["id"]
    wait_until(lambda: client.get(job_id)["progress"] > 0.5, what="it is half done")
    kill_workers(live_farm)
    seen: list[float] = []

    def look(job: Job) -> None:
        if job["status"] == "running" and job["stage"] == "denoise":
            seen.append(job["progress"])

    job = client.wait(job_id, look, timeout_s=120)
    assert job["status"] == "succeeded", job["error"]
    assert outcomes(live_farm, job) == ["worker_lost", "succeeded"]
    assert outcomes(live_farm, job, "encode") == ["succeeded"]
    # The last checkpoint is at most a moment older than the progress that was seen.
    assert min(seen) > 0.3
    assert digests(job) == digests(undisturbed.job)


def test_an_urgent_job_takes_the_slot_of_another(client: Client, live_farm: LiveFarm) -> None:
    mini = {"model": "myriad-mini", "cache": False}
    long = {**mini, "num_inference_steps": 150, "num_images": 3}
    fillers = [{"prompt": f"a blue ring {place}", **long} for place in range(SLOT_COUNT)]
    with running(client, *fillers) as jobs:
        wait_until(
            lambda: all(outcomes(live_farm, job) == ["running"] for job in jobs),
            what="all slots are taken",
        )
        urgent = draw(client, "a red heart", priority=10, num_inference_steps=4, **mini)
        assert urgent["status"] == "succeeded", urgent["error"]
        [victim] = [job for job in jobs if "preempted" in outcomes(live_farm, job)]
        for job in jobs:
            if job is not victim:
                client.cancel(job["id"])
        done = client.wait(victim["id"], timeout_s=120)
    assert done["status"] == "succeeded", done["error"]
    assert outcomes(live_farm, victim) == ["preempted", "succeeded"]
    assert done["completed_at"] > urgent["completed_at"]


def test_a_deadline_ends_a_job_in_the_middle(client: Client, live_farm: LiveFarm) -> None:
    job = draw(client, **{**LONG, "num_images": 8, "reproducible": False, "deadline_s": 2.0})
    assert (job["status"], job["error"]["code"]) == ("failed", "deadline_exceeded")
    assert job["output"] is None
    assert outcomes(live_farm, job) == ["deadline_exceeded"]
    assert draw(client, "a white ring")["status"] == "succeeded"
