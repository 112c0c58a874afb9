"""The client against a real farm."""

import base64
import hashlib
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import islice
from pathlib import Path

import pytest
from PIL import Image

from myriad.client import Client, Job
from myriad.errors import InvalidRequest, JobCanceled, MyriadError, NotFound, Unavailable
from tests.web.bombs import picture


def test_submits_waits_and_downloads(client: Client) -> None:
    seen: list[float] = []
    job = client.submit("红色的圆", seed=7, num_inference_steps=30, cache=False)
    done = client.wait(job["id"], lambda now: seen.append(now["progress"]))
    assert done["status"] == "succeeded"
    assert done["input"]["prompt"] == "红色的圆"
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    (image,) = done["output"]
    assert hashlib.sha256(client.download(image["url"])).hexdigest() == image["sha256"]


def test_hands_pictures_in(client: Client) -> None:
    handed = client.upload(picture(), "图.png")
    assert (handed["width"], handed["height"]) == (48, 32)
    job = client.submit("x", image=handed["id"], width=64, height=64, num_inference_steps=2)
    assert job["input"]["image"] == handed["id"]
    assert client.wait(job["id"])["status"] == "succeeded"
    with pytest.raises(InvalidRequest) as caught:
        client.upload(b"no picture")
    assert caught.value.field == "file"


def test_a_picture_may_be_anything_that_is_one(client: Client, tmp_path: Path) -> None:
    file = tmp_path / "图.png"
    file.write_bytes(picture())
    handed = client.upload(file)["id"]
    uri = "data:image/png;base64," + base64.b64encode(picture()).decode()
    with Image.open(file) as opened:
        for given in (file, str(file), picture(), opened, uri, handed):
            job = client.submit("x", image=given, width=64, height=64)
            assert job["input"]["image"] == handed
    with pytest.raises(InvalidRequest, match="not int"):
        client.submit("x", image=7)
    with pytest.raises(FileNotFoundError):
        client.submit("x", image="no-such-file.png")


def test_generate_brings_the_pictures(client: Client) -> None:
    seen: list[str] = []
    result = client.generate(
        "两张", on_progress=lambda job: seen.append(job["status"]), seed=3, num_images=2
    )
    assert [hashlib.sha256(file).hexdigest() for file in result.files] == [
        image["sha256"] for image in result.job["output"]
    ]
    assert seen[-1] == "succeeded"
    assert result.seeds == [3, 4]


def test_generate_raises_what_became_of_the_job(client: Client) -> None:
    def cancel(job: Job) -> None:
        client.cancel(job["id"])

    with pytest.raises(JobCanceled):
        client.generate("slow", on_progress=cancel, num_inference_steps=150, cache=False)


def test_delete_leaves_nothing(client: Client) -> None:
    job_id = client.submit("gone")["id"]
    client.delete(job_id)
    with pytest.raises(NotFound):
        client.get(job_id)
    assert client.preview(job_id) is None


def test_a_batch_is_asked_for_and_waited_for(client: Client) -> None:
    seen: list[float] = []
    asked = client.batch(template={"prompt": "x", "image": picture()}, grid={"seed": [1, 2, 3]})
    batch = client.wait_batch(asked["id"], lambda now: seen.append(now["progress"]))
    assert (batch["status"], batch["counts"]["succeeded"]) == ("completed", 3)
    assert seen == sorted(seen)
    jobs = list(client.jobs(batch=asked["id"]))[::-1]
    assert [job["input"]["seed"] for job in jobs] == [1, 2, 3]
    assert next(client.batches())["id"] == asked["id"] == client.get_batch(asked["id"])["id"]


def test_a_batch_may_be_a_list_and_be_canceled(client: Client) -> None:
    slow = {"prompt": "slow", "num_inference_steps": 150, "cache": False}
    asked = client.batch([{**slow, "seed": seed} for seed in range(4)], metadata={"a": "b"})
    assert asked["metadata"] == {"a": "b"}
    assert client.cancel_batch(asked["id"])["status"] == "canceled"


def test_errors_are_ours_by_their_code(client: Client) -> None:
    with pytest.raises(InvalidRequest) as caught:
        client.submit("x", width=7)
    assert caught.value.field == "width"
    with pytest.raises(NotFound):
        client.get("0" * 32)


def test_cancel_ends_a_job(client: Client) -> None:
    job = client.submit("slow", num_inference_steps=150, cache=False)
    client.cancel(job["id"])
    assert client.wait(job["id"])["status"] == "canceled"


def test_waiting_has_a_limit(client: Client) -> None:
    job = client.submit("slower", num_inference_steps=150, cache=False)
    with pytest.raises(TimeoutError, match=job["id"]):
        client.wait(job["id"], timeout_s=0)
    client.cancel(job["id"])


def test_jobs_go_on_over_pages(client: Client) -> None:
    ids = [client.submit("many", seed=seed, num_inference_steps=1)["id"] for seed in range(60)]
    listed = [job["id"] for job in islice(client.jobs(), 60)]
    assert listed == ids[::-1]


def test_lists_models(client: Client) -> None:
    assert [model["name"] for model in client.models()] == ["tiny"]


def test_nothing_there_is_unavailable() -> None:
    url = "http://127.0.0.1:1"
    with Client(url, retries=1) as client, pytest.raises(Unavailable, match="no farm"):
        client.models()


def test_something_else_there_is_said() -> None:
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        with Client(url) as client, pytest.raises(MyriadError, match="answered 501"):
            client.models()
