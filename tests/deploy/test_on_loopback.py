"""A farm of the commands that docker-compose.yml runs: PostgreSQL, Valkey and S3 underneath."""

import hashlib
import json
import signal
import subprocess
import sys

import httpx
import pytest
from standardwebhooks import Webhook

from myriad.client import Client, Job
from tests.deploy.compose import ONE_SHOTS, our_services
from tests.processes import ROOT, Processes, wait_until
from tests.webhook.peers import receiving

SERVICES = {name: each for name, each in our_services().items() if "profiles" not in each}
RUNNING = [name for name in SERVICES if name not in ONE_SHOTS]


def run(settings: dict[str, str], *module: str) -> "subprocess.CompletedProcess[str]":
    """`python -m …` to its end."""
    command = (sys.executable, "-m", *module)
    # The least that a process needs of ours, and nothing that could fill in for the settings.
    return subprocess.run(command, env=settings, cwd=ROOT, capture_output=True, text=True)


@pytest.fixture
def migrated(settings: dict[str, str]) -> None:
    done = run(settings, *SERVICES["migrate"]["command"])
    assert done.returncode == 0, done.stderr


@pytest.mark.usefixtures("migrated")
def test_web_does_not_open_a_farm_without_keys(settings: dict[str, str]) -> None:
    outside = our_services()["web"]["environment"]["MYRIAD_HOST"]
    done = run(settings | {"MYRIAD_HOST": outside}, *SERVICES["web"]["command"])
    assert done.returncode != 0
    assert "myriad keys create" in done.stderr


@pytest.mark.timeout(400)  # a whole farm starts, on a machine that may be busy
@pytest.mark.usefixtures("migrated", "bucket")
def test_a_job_becomes_a_picture_and_a_webhook(
    settings: dict[str, str], processes: Processes
) -> None:
    key = run(settings, "myriad", "keys", "create", "me").stdout.split()[-1]
    started = {name: processes.start(tuple(SERVICES[name]["command"])) for name in RUNNING}
    url = settings["MYRIAD_PUBLIC_URL"]
    with Client(url, key) as client, receiving() as receiver:
        wait_until(lambda: is_alive(url), within_s=120, what=processes.logs)
        job = client.submit("a red circle", webhook=receiver.url)
        job = client.wait(job["id"], timeout_s=120)
        assert job["status"] == "succeeded", job
        check_picture(job, settings)
        wait_until(lambda: len(receiver.received) == 3, what=processes.logs)
    for hook in receiver.received:
        Webhook(settings["MYRIAD_WEBHOOK_SECRET"]).verify(hook.body, hook.headers)
    kinds = {json.loads(hook.body)["type"] for hook in receiver.received}
    assert kinds == {"job.start", "job.output", "job.completed"}
    assert httpx.get(f"{url}/readyz", trust_env=False).is_success
    check_health(settings)
    for process in started.values():
        process.send_signal(signal.SIGTERM)
    assert {name: process.wait(60) for name, process in started.items()} == dict.fromkeys(
        RUNNING, 0
    )


def is_alive(url: str) -> bool:
    try:
        return httpx.get(f"{url}/livez", trust_env=False).is_success
    except httpx.HTTPError:
        return False


def check_health(settings: dict[str, str]) -> None:
    """Every health check of docker-compose.yml says yes."""
    for name in RUNNING:
        done = run(settings, *SERVICES[name]["healthcheck"]["test"][3:])
        assert done.returncode == 0, (name, done.stderr)


def check_picture(job: Job, settings: dict[str, str]) -> None:
    """Its presigned link leads to the store, without a key, and to the promised bytes."""
    (image,) = job["output"]
    assert image["url"].startswith(settings["MYRIAD_S3_PUBLIC_ENDPOINT_URL"])
    answer = httpx.get(image["url"], trust_env=False)
    assert answer.headers["content-type"] == "image/png"
    assert hashlib.sha256(answer.content).hexdigest() == image["sha256"]
