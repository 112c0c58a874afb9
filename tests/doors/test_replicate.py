"""Replicate's own client over a real farm: predictions, files, webhooks, errors."""

import io
import json
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import replicate
from PIL import Image
from replicate.exceptions import ModelError, ReplicateError
from standardwebhooks import Webhook

from model.check import looks_like
from tests.doors.conftest import DoorFarm
from tests.processes import wait_until
from tests.webhook.peers import receiving

MODEL = "myriad/myriad-shapes"
CIRCLE = "a red circle on a white background"


@contextmanager
def opened(farm: DoorFarm, key: str) -> Iterator[replicate.Client]:
    """The client never closes its connections by itself."""
    client = replicate.Client(api_token=key, base_url=farm.url)
    try:
        yield client
    finally:
        client._client.close()


@pytest.fixture
def client(door_farm: DoorFarm) -> Iterator[replicate.Client]:
    with opened(door_farm, door_farm.key) as client:
        yield client


@pytest.fixture
def other(door_farm: DoorFarm) -> Iterator[replicate.Client]:
    with opened(door_farm, door_farm.other_key) as client:
        yield client


@pytest.fixture
def http(door_farm: DoorFarm) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {door_farm.key}"}
    with httpx.Client(base_url=door_farm.url, headers=headers, trust_env=False) as opened:
        yield opened


def picture_at(url: str) -> Image.Image:
    return Image.open(io.BytesIO(httpx.get(url, trust_env=False).raise_for_status().content))


def test_run_draws_what_was_asked(client: replicate.Client) -> None:
    [url] = client.run(MODEL, input={"prompt": CIRCLE, "seed": 3, "go_fast": True})
    assert looks_like(picture_at(url), shape="circle", colour="red", background="white")


def test_run_by_version_reads_what_a_version_makes(client: replicate.Client) -> None:
    version = client.models.get(MODEL).latest_version
    assert version is not None
    schema = version.openapi_schema["components"]["schemas"]
    assert schema["Input"]["properties"]["num_inference_steps"]["default"] == 20
    asked = {"prompt": CIRCLE, "seed": 3, "num_outputs": 2, "aspect_ratio": "1:1"}
    outputs = client.run(f"{MODEL}:{version.id}", input=asked)
    assert len(list(outputs)) == 2


def test_a_prediction_is_followed_to_its_end(client: replicate.Client) -> None:
    asked = {"prompt": CIRCLE, "num_inference_steps": 60, "scheduler": "K_EULER"}
    prediction = client.models.predictions.create(model=MODEL, input=asked, wait=False)
    assert (prediction.status, prediction.output) == ("starting", None)
    seen = []

    def has_ended() -> bool:
        prediction.reload()
        seen.append(prediction.progress)
        return prediction.status not in ("starting", "processing")

    wait_until(has_ended, what=lambda: str(prediction))
    assert prediction.status == "succeeded"
    assert prediction.metrics
    assert prediction.metrics["predict_time"] > 0
    moving = [progress.current for progress in seen if progress]
    assert moving == sorted(moving)
    assert any(0 < current < 60 for current in moving)
    assert prediction.progress
    assert (prediction.progress.current, prediction.progress.percentage) == (60, 1.0)
    assert prediction.id in {each.id for each in client.predictions.list().results}


def test_who_waited_too_little_hears_that_it_is_starting(http: httpx.Client) -> None:
    answer = http.post(
        "/v1/models/myriad/myriad-shapes/predictions",
        json={"input": {"prompt": CIRCLE, "num_inference_steps": 150}},
        headers={"Prefer": "wait=1"},
    )
    assert (answer.status_code, answer.json()["status"]) == (201, "starting")
    canceled = http.post(answer.json()["urls"]["cancel"])
    assert canceled.json()["status"] == "canceled"
    # Cog's clients say whether they want to wait in words of their own.
    now = http.put(
        "/predictions/cog-1",
        json={"input": {"prompt": CIRCLE, "num_inference_steps": 150}},
        headers={"Prefer": "respond-async"},
    )
    assert now.status_code == 202
    assert http.post("/predictions/cog-1/cancel").json()["status"] == "canceled"


def test_a_name_of_ones_own_is_drawn_once(http: httpx.Client, door_farm: DoorFarm) -> None:
    body = {"input": {"prompt": "a blue square on a white background"}}
    first, again = (http.put("/v1/predictions/mine-1", json=body) for _ in range(2))
    assert first.json()["urls"]["get"].endswith("/v1/predictions/mine-1")
    assert first.json()["id"] == again.json()["id"] == "mine-1"
    assert first.json()["created_at"] == again.json()["created_at"]
    assert first.json()["input"]["seed"] == again.json()["input"]["seed"]
    changed = http.put("/v1/predictions/mine-1", json={"input": {"prompt": "another"}})
    assert changed.status_code == 409
    assert http.get("/v1/predictions/mine-1").json()["id"] == "mine-1"
    theirs = {"Authorization": f"Bearer {door_farm.other_key}"}
    assert http.get("/v1/predictions/mine-1", headers=theirs).status_code == 404


def test_a_file_is_handed_in_and_started_from(client: replicate.Client, tmp_path: Path) -> None:
    Image.new("RGB", (128, 128), "red").save(tmp_path / "red.png")
    for strategy in ("url", "base64"):
        with (tmp_path / "red.png").open("rb") as file:
            [url] = client.run(
                MODEL,
                input={"prompt": CIRCLE, "image": file, "prompt_strength": 0.1, "seed": 1},
                file_encoding_strategy=strategy,
            )
        red, green, _ = picture_at(url).resize((1, 1)).convert("RGB").getpixel((0, 0))
        assert red > 150 > 100 > green


def test_a_webhook_brings_the_prediction_itself(
    client: replicate.Client, door_farm: DoorFarm
) -> None:
    secret = (door_farm.home / "webhook-secret").read_text().strip()
    with receiving() as receiver:
        prediction = client.models.predictions.create(
            model=MODEL,
            input={"prompt": CIRCLE},
            webhook=receiver.url,
            webhook_events_filter=["completed", "logs"],
        )
        wait_until(lambda: bool(receiver.received), what="the webhook comes")
    [event] = receiver.received
    body = Webhook(secret).verify(event.body, dict(event.headers))
    assert (body["id"], body["status"]) == (prediction.id, "succeeded")
    assert len(body["output"]) == 1


def test_a_controlnet_follows_a_file_that_was_handed_in(
    client: replicate.Client, tmp_path: Path
) -> None:
    Image.new("RGB", (128, 128)).save(tmp_path / "edges.png")
    with (tmp_path / "edges.png").open("rb") as file:
        handed_in = client.files.create(file)
    uri = f"data:image/png;base64,{b64encode((tmp_path / 'edges.png').read_bytes()).decode()}"
    for image in (handed_in.urls["get"], uri):
        use = {"model": "shapes-edges", "image": image}
        asked = {"prompt": CIRCLE, "num_inference_steps": 2, "controlnets": [use]}
        prediction = client.models.predictions.create(model=MODEL, input=asked, wait=True)
        assert prediction.status == "succeeded"
        assert prediction.input
        assert prediction.input["controlnets"][0]["image"] == handed_in.urls["get"]


def test_errors_are_the_clients_own(
    client: replicate.Client, other: replicate.Client, door_farm: DoorFarm
) -> None:
    with pytest.raises(ReplicateError) as wrong:
        client.run(MODEL, input={"prompt": CIRCLE, "num_inference_steps": 10**9})
    assert (wrong.value.status, wrong.value.title) == (422, "Input validation failed")
    assert "num_inference_steps" in str(wrong.value.detail)
    with pytest.raises(ReplicateError, match=r"input\.colour"):
        client.run(MODEL, input={"prompt": CIRCLE, "colour": "red"})
    with pytest.raises(ReplicateError, match="other addresses are not fetched"):
        client.run(MODEL, input={"prompt": CIRCLE, "image": "http://169.254.169.254/"})
    with pytest.raises(ReplicateError) as missing:
        client.run("myriad/nothing", input={"prompt": CIRCLE})
    assert missing.value.status == 404
    with opened(door_farm, "mk_none") as stranger, pytest.raises(ReplicateError) as unknown:
        stranger.run(MODEL, input={"prompt": CIRCLE})
    assert unknown.value.status == 401
    mine = client.models.predictions.create(model=MODEL, input={"prompt": CIRCLE})
    with pytest.raises(ReplicateError) as hidden:
        other.predictions.get(mine.id)
    assert hidden.value.status == 404
    with pytest.raises(ModelError):
        client.run(MODEL, input={"prompt": "circle " * 900})


def test_a_prediction_that_comes_too_late_is_canceled(http: httpx.Client) -> None:
    def is_idle() -> bool:
        pages = [http.get(f"/api/v1/jobs?status={state}") for state in ("queued", "running")]
        return not any(page.json()["jobs"] for page in pages)

    # A busy farm would refuse at the door what it cannot do in time.
    wait_until(is_idle, what="the farm is idle")
    answer = http.post(
        "/v1/models/myriad/myriad-shapes/predictions",
        content=json.dumps({"input": {"prompt": CIRCLE, "num_inference_steps": 150}}),
        headers={"Cancel-After": "0.2s", "Prefer": "wait=20", "Content-Type": "application/json"},
    )
    assert (answer.json()["status"], answer.json()["error"]) == ("canceled", None)
