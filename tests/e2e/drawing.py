"""What tests do with a live farm: ask, wait, look at the pictures and at who did the work."""

import io
import json
import sqlite3
from contextlib import closing
from typing import Any

import httpx
import psutil
from PIL import Image

from myriad.client import Client
from tests.e2e.conftest import LiveFarm

Job = dict[str, Any]


def draw(client: Client, prompt: str, **params: Any) -> Job:
    """The job once it has ended."""
    return client.wait(client.submit(prompt, **params)["id"], timeout_s=120)


def draw_from_form(farm: LiveFarm, client: Client, asked: Job, **files: bytes) -> Job:
    """The same for a request that brings its pictures as parts of a form."""
    answer = httpx.post(
        f"{farm.url}/api/v1/jobs",
        data={"params": json.dumps(asked)},
        files={name: (f"{name}.png", data, "image/png") for name, data in files.items()},
        trust_env=False,
    )
    assert answer.status_code == 201, answer.text
    return client.wait(answer.json()["id"], timeout_s=120)


def pictures(client: Client, job: Job) -> list[Image.Image]:
    """What it drew."""
    assert job["status"] == "succeeded", job["error"]
    data = [client.download(output["url"]) for output in job["output"]]
    return [Image.open(io.BytesIO(each), formats=("PNG",)) for each in data]


def digests(job: Job) -> list[str]:
    """SHA-256 of its files."""
    return [output["sha256"] for output in job["output"]]


def outcomes(farm: LiveFarm, job: Job, stage: str = "denoise") -> list[str]:
    """How each try at a stage of the job ended."""
    query = "SELECT outcome FROM stage_runs WHERE job_id = ? AND stage = ? ORDER BY attempt"
    with closing(sqlite3.connect(farm.home / "myriad.db")) as database:
        return [row[0] for row in database.execute(query, (job["id"], stage))]


def kill_workers(farm: LiveFarm) -> None:
    """As the kernel does when memory runs out; the farm starts others."""
    for child in psutil.Process(farm.process.pid).children(recursive=True):
        if "workers" in child.cmdline():
            child.kill()
