"""A front end that is told to stop: unready at once, gone when its requests have been answered."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import httpx
import pytest

from tests.processes import Processes, wait_until
from tests.web.server import GUNICORN, free_port


@pytest.fixture
def url() -> str:
    return f"http://127.0.0.1:{free_port()}"


@pytest.fixture
def web(
    home: Path, redis_url: str, url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator["subprocess.Popen[bytes]"]:
    """One that lingers for two seconds."""
    environment = {
        "MYRIAD_HOME": str(home),
        "MYRIAD_CATALOG": str(home / "catalog.toml"),
        "MYRIAD_REDIS_URL": redis_url,
        "MYRIAD_PORT": url.rpartition(":")[2],
        "MYRIAD_WEB_LINGER_S": "2",
    }
    processes = Processes(environment, tmp_path_factory.mktemp("logs"))
    process = processes.start(GUNICORN)
    wait_until(lambda: _status(f"{url}/livez") == 200, what=processes.logs)
    yield process
    processes.close()


def test_unready_first_then_closed_and_nobody_is_cut_off(
    web: "subprocess.Popen[bytes]", url: str
) -> None:
    answers: list[httpx.Response] = []

    def wait_for_a_picture() -> None:
        with httpx.Client(trust_env=False, timeout=60) as client:
            body, wait = {"prompt": "a circle"}, {"Prefer": "wait=4"}
            answers.append(client.post(f"{url}/api/v1/jobs", json=body, headers=wait))

    waiting = Thread(target=wait_for_a_picture)
    waiting.start()
    wait_until(lambda: _jobs(url) != [], what="its job")
    web.terminate()
    wait_until(lambda: _checks(url).get("process") == "is stopping", what="readiness to say so")
    wait_until(lambda: _status(f"{url}/livez") is None, what="nobody gets in")
    waiting.join()
    assert answers[0].status_code in (201, 202)
    assert web.wait(timeout=60) == 0


def _jobs(url: str) -> list[object]:
    listed = httpx.get(f"{url}/api/v1/jobs", timeout=60, trust_env=False).json()
    return list(listed["jobs"])


def _checks(url: str) -> dict[str, str]:
    answer = httpx.get(f"{url}/readyz", timeout=60, trust_env=False)
    assert answer.status_code == 503  # no worker serves this farm
    checks: dict[str, str] = answer.json()["checks"]
    return checks


def _status(url: str) -> int | None:
    """None: refused."""
    try:
        return httpx.get(url, timeout=60, trust_env=False).status_code
    except httpx.ConnectError:
        return None
