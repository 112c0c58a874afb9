"""No byte more can be written: creates are refused, and afterwards all goes on."""

import resource
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import httpx
import psutil
import pytest

from myriad.farm import Farm
from tests.processes import FAST_WORKER, JANITOR, Processes, wait_until
from tests.tasks.jobs import assert_effects_once, post, steps_done, wait_for
from tests.web.server import GUNICORN, free_port

FULL_BYTES = 16_000
pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.parametrize("migrated_url", ["sqlite"], indirect=True),
]


@pytest.fixture
def more_settings() -> dict[str, str]:
    return {"MYRIAD_PORT": str(free_port()), "MYRIAD_DATABASE_WAIT_S": "2"}


@contextmanager
def full_disk(processes: "Sequence[subprocess.Popen[bytes]]") -> Iterator[None]:
    """No file of theirs may grow beyond a few pages: writes fail as on a full disk."""
    first = [psutil.Process(each.pid) for each in processes]
    every = [*first, *(child for each in first for child in each.children(recursive=True))]
    for process in every:
        process.rlimit(psutil.RLIMIT_FSIZE, (FULL_BYTES, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        for process in every:
            process.rlimit(psutil.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def test_a_full_disk_costs_time_and_no_job(farm: Farm, processes: Processes) -> None:
    running = [processes.start(each) for each in (FAST_WORKER, JANITOR, GUNICORN)]
    url = farm.settings.local_url
    wait_until(lambda: _answers(url), what="the front end")
    job_ids = [post(farm, f"slow {number}", steps=20) for number in range(2)]
    wait_until(lambda: all(steps_done(farm, each) for each in job_ids), what="denoising")
    with full_disk(running), httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
        answers: list[httpx.Response] = []

        def is_refused() -> bool:
            answers.append(client.post("/api/v1/jobs", json={"prompt": f"{len(answers)}"}))
            return answers[-1].status_code != 201

        wait_until(is_refused, what="a job is refused")
        assert (answers[-1].status_code, answers[-1].json()["error"]["code"]) == (
            503,
            "database_unavailable",
        )
        assert client.get("/livez").status_code == 200
    job_ids += [each.json()["id"] for each in answers if each.status_code == 201]
    wait_for(farm, job_ids)
    assert_effects_once(farm, job_ids)
    assert [process.poll() for process in running] == [None] * 3


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/livez", timeout=5, trust_env=False).is_success
    except httpx.HTTPError:
        return False
