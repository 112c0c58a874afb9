"""The client against a real farm."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import islice

import pytest

from myriad.client import Client
from myriad.errors import InvalidRequest, MyriadError, NotFound, Unavailable
from tests.web.bombs import picture


@pytest.fixture
def client(farm_url: str) -> Iterator[Client]:
    with Client(farm_url) as connected:
        yield connected


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
    with Client("http://127.0.0.1:1") as client, pytest.raises(Unavailable, match="no farm"):
        client.models()


def test_something_else_there_is_said() -> None:
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        with Client(url) as client, pytest.raises(MyriadError, match="answered 501"):
            client.models()
