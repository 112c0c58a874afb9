"""A prompt becomes a picture: form of the answer, meaning of the pixels, caches, webhooks."""

import hashlib
import io
import itertools
import json
import signal
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import psutil
import pytest
from PIL import Image
from standardwebhooks import Webhook

from model.check import looks_like
from myriad.client import Client
from tests.e2e.conftest import LiveFarm, start_farm, stop_farm
from tests.processes import wait_until
from tests.webhook.peers import receiving
from workers.picture import read_metadata

pytestmark = pytest.mark.timeout(300)
_unique = itertools.count(1000)


def draw(client: Client, prompt: str, **params: object) -> dict[str, object]:
    return client.wait(client.submit(prompt, **params)["id"], timeout_s=120)


def stage_runs(farm: LiveFarm) -> int:
    with closing(sqlite3.connect(farm.home / "myriad.db")) as database:
        return int(database.execute("SELECT count(*) FROM stage_runs").fetchone()[0])


@pytest.mark.parametrize(
    ("prompt", "wanted"),
    [
        ("白色背景上的红色圆形", {"shape": "circle", "colour": "red", "background": "white"}),
        (
            "a large blue square on a yellow background",
            {"shape": "square", "colour": "blue", "size": "large", "background": "yellow"},
        ),
    ],
)
def test_the_pictures_show_what_was_asked(
    client: Client, prompt: str, wanted: dict[str, str]
) -> None:
    job = draw(client, prompt, seed=7, num_images=8)
    assert (job["status"], job["progress"], job["error"]) == ("succeeded", 1.0, None)
    pictures = [client.download(output["url"]) for output in job["output"]]
    images = [Image.open(io.BytesIO(data), formats=("PNG",)) for data in pictures]
    assert {image.size for image in images} == {(128, 128)}
    # The bundled model is right in some 94 of 100 prompts; one that ignored the
    # prompt would be right in about one of a thousand.
    assert sum(looks_like(image, **wanted) for image in images) >= 7


def test_the_file_is_the_one_promised_and_knows_its_recipe(client: Client) -> None:
    job = draw(client, "一个红色圆形", seed=7)
    output = job["output"][0]
    data = client.download(output["url"])
    assert hashlib.sha256(data).hexdigest() == output["sha256"]
    metadata = read_metadata(data)
    assert metadata is not None
    assert metadata[1].to_json() == job["input"]
    assert all(job["metrics"][f"{stage}_s"] > 0 for stage in ("encode", "denoise", "decode"))


def test_the_same_again_comes_from_the_cache(client: Client, live_farm: LiveFarm) -> None:
    first = draw(client, "绿色的星星")
    runs = stage_runs(live_farm)
    again = client.submit("绿色的星星")
    fresh = draw(client, "绿色的星星", cache=False)
    assert (again["status"], again["cache"]) == ("succeeded", "hit")
    assert again["output"][0]["sha256"] == first["output"][0]["sha256"]
    assert fresh["cache"] == "miss"
    assert fresh["input"]["seed"] != first["input"]["seed"]
    assert stage_runs(live_farm) == runs + 3


def test_twenty_at_once_are_one_run(client: Client, live_farm: LiveFarm) -> None:
    runs = stage_runs(live_farm)
    with ThreadPoolExecutor(20) as threads:
        jobs = list(threads.map(lambda _: client.submit("an orange heart"), range(20)))
    done = [client.wait(job["id"], timeout_s=120) for job in jobs]
    assert [job["status"] for job in done] == ["succeeded"] * 20
    assert len({job["output"][0]["sha256"] for job in done}) == 1
    assert sorted(job["cache"] for job in done)[-1] == "miss"
    assert sum(job["cache"] == "miss" for job in done) == 1
    assert stage_runs(live_farm) == runs + 3


def test_a_webhook_arrives_and_verifies(client: Client, live_farm: LiveFarm) -> None:
    secret = (live_farm.home / "webhook-secret").read_text().strip()
    with receiving() as receiver:
        job = draw(client, "a purple ring", webhook=receiver.url)
        wait_until(lambda: len(receiver.received) >= 3, what="three webhooks")
        bodies = [Webhook(secret).verify(got.body, got.headers) for got in receiver.received]
    by_type = {body["type"]: body for body in bodies}
    assert set(by_type) == {"job.start", "job.output", "job.completed"}
    completed = by_type["job.completed"]["data"]
    assert (completed["id"], completed["status"]) == (job["id"], "succeeded")
    assert completed["output"][0]["sha256"] == job["output"][0]["sha256"]
    assert client.download(completed["output"][0]["url"])


def test_several_pictures_are_those_of_their_seeds(client: Client) -> None:
    job = draw(client, "a black cross", seed=50, num_images=3, output_format="webp")
    assert [image["seed"] for image in job["output"]] == [50, 51, 52]
    assert len({image["sha256"] for image in job["output"]}) == 3
    assert {image["content_type"] for image in job["output"]} == {"image/webp"}


def test_cancel_stops_a_running_job(client: Client) -> None:
    job = client.submit("a pink diamond", num_inference_steps=150, num_images=8)
    wait_until(lambda: client.get(job["id"])["progress"] > 0.05, what="its first step")
    assert client.cancel(job["id"])["status"] == "canceled"
    assert client.get(job["id"])["status"] == "canceled"
    assert draw(client, f"a white triangle {next(_unique)}")["status"] == "succeeded"


def test_a_killed_worker_costs_no_job(client: Client, live_farm: LiveFarm) -> None:
    jobs = [client.submit(f"a gray square {next(_unique)}") for _ in range(6)]
    wait_until(
        lambda: any(client.get(job["id"])["stage"] == "denoise" for job in jobs),
        what="denoising",
    )
    for child in psutil.Process(live_farm.process.pid).children(recursive=True):
        if "workers" in child.cmdline():
            child.kill()
    done = [client.wait(job["id"], timeout_s=200) for job in jobs]
    assert [job["status"] for job in done] == ["succeeded"] * 6
    assert [len(job["output"]) for job in done] == [1] * 6


def test_one_command_draws_and_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    prompt = 'a "red" star, 红色的星星'
    farm = start_farm(tmp_path / "home", "--prompt", prompt)
    try:
        outputs = farm.home / "outputs"
        wait_until(
            lambda: any(outputs.glob("*.png")) or farm.process.poll() is not None,
            within_s=200,
            what=lambda: farm.output,
        )
        path = next(outputs.glob("*.png"))
        wait_until(lambda: str(path) in farm.output, what="its path is printed")
        metadata = read_metadata(path.read_bytes())
        assert metadata is not None
        assert metadata[1].prompt == prompt
        children = psutil.Process(farm.process.pid).children(recursive=True)
        assert len(children) >= 5
        assert stop_farm(farm) == 0, farm.output
        gone, alive = psutil.wait_procs(children, timeout=10)
        assert alive == []
        assert len(gone) == len(children)
    finally:
        if farm.process.poll() is None:
            farm.process.send_signal(signal.SIGKILL)
        farm.process.wait()


def test_readyz_and_metrics_tell_of_the_farm(client: Client, live_farm: LiveFarm) -> None:
    draw(client, "a brown circle")
    ready = httpx.get(f"{live_farm.url}/readyz", trust_env=False)
    assert ready.status_code == 200
    assert json.loads(ready.text)
    metrics = httpx.get(f"{live_farm.url}/metrics", trust_env=False).text
    assert "myriad_" in metrics
