"""Hugging Face's own inference client over a real farm."""

import io
from collections.abc import Iterator

import httpx
import pytest
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils import close_session
from PIL import Image

from model.check import looks_like
from tests.doors.conftest import DoorFarm

CIRCLE = "a red circle on a white background"


def client_of(farm: DoorFarm, key: str, model: str = "myriad-shapes") -> InferenceClient:
    return InferenceClient(base_url=f"{farm.url}/hf/models/{model}", api_key=key)


@pytest.fixture(autouse=True)
def _online(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The client would not even reach the loopback; the tests' own guard lets it no further."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    yield
    close_session()


@pytest.fixture(scope="module")
def client(door_farm: DoorFarm) -> InferenceClient:
    return client_of(door_farm, door_farm.key)


def test_text_to_image(client: InferenceClient) -> None:
    image = client.text_to_image(CIRCLE, width=128, height=128, seed=3, num_inference_steps=20)
    assert image.size == (128, 128)
    assert looks_like(image, shape="circle", colour="red", background="white")
    again = client.text_to_image(CIRCLE, width=128, height=128, seed=3, num_inference_steps=20)
    assert image.tobytes() == again.tobytes()


def test_without_a_seed_every_call_makes_a_new_picture(client: InferenceClient) -> None:
    assert client.text_to_image(CIRCLE).tobytes() != client.text_to_image(CIRCLE).tobytes()


def test_image_to_image(client: InferenceClient) -> None:
    red = io.BytesIO()
    Image.new("RGB", (128, 128), "red").save(red, "PNG")
    image = client.image_to_image(red.getvalue(), prompt=CIRCLE, strength=0.1, seed=1)
    red_of, green_of, _ = image.resize((1, 1)).convert("RGB").getpixel((0, 0))
    assert red_of > 150 > 100 > green_of


def test_the_file_is_of_the_kind_that_was_accepted(door_farm: DoorFarm) -> None:
    answer = httpx.post(
        f"{door_farm.url}/hf/models/some-team/myriad-shapes",
        json={"inputs": CIRCLE, "parameters": {"seed": 3}},
        headers={"Authorization": f"Bearer {door_farm.key}", "Accept": "image/webp"},
        timeout=60,
        trust_env=False,
    )
    assert answer.headers["Content-Type"] == "image/webp"
    assert Image.open(io.BytesIO(answer.content)).format == "WEBP"


def test_errors_are_the_clients_own(client: InferenceClient, door_farm: DoorFarm) -> None:
    with pytest.raises(HfHubHTTPError) as wrong:
        client.text_to_image(CIRCLE, num_inference_steps=10**9)
    assert "num_inference_steps" in wrong.value.response.json()["error"]
    with pytest.raises(HfHubHTTPError) as unknown:
        client.text_to_image(CIRCLE, extra_body={"colour": "red"})
    assert wrong.value.response.status_code == unknown.value.response.status_code == 400
    assert "parameters.colour" in unknown.value.response.json()["error"]
    with pytest.raises(HfHubHTTPError) as stranger:
        client_of(door_farm, "mk_none").text_to_image(CIRCLE)
    assert stranger.value.response.status_code == 401
    with pytest.raises(HfHubHTTPError) as missing:
        client_of(door_farm, door_farm.key, "nothing").text_to_image(CIRCLE)
    assert missing.value.response.status_code == 404
