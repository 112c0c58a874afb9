"""OpenAI's own client over a real farm: pictures, streams, changes, errors and retries."""

import asyncio
import base64
from collections.abc import Iterator
from io import BytesIO

import httpx
import openai
import pytest
from PIL import Image, ImageStat

from model.check import looks_like
from tests.doors.conftest import DoorFarm

pytestmark = pytest.mark.timeout(300)
CIRCLE = "a red circle on a white background"


@pytest.fixture(scope="module")
def client(door_farm: DoorFarm) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{door_farm.url}/v1", api_key=door_farm.key) as opened:
        yield opened


def picture_in(b64_json: str | None) -> Image.Image:
    assert b64_json
    return Image.open(BytesIO(base64.b64decode(b64_json)))


def as_png(image: Image.Image) -> bytes:
    file = BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def mean(image: Image.Image) -> list[float]:
    """Of each channel, 0 to 255."""
    return ImageStat.Stat(image).mean


def jobs_of(farm: DoorFarm, prompt: str, key: str = "") -> list[dict[str, object]]:
    """The jobs with that prompt that `key` sees, newest first."""
    headers = {"Authorization": f"Bearer {key or farm.key}"}
    listed = httpx.get(f"{farm.url}/api/v1/jobs", headers=headers, trust_env=False).json()
    return [job for job in listed["jobs"] if job["input"]["prompt"] == prompt]


def test_a_client_that_was_never_told_of_this_farm_gets_its_picture(
    client: openai.OpenAI, door_farm: DoorFarm
) -> None:
    answer = client.images.generate(
        model="gpt-image-1", prompt=CIRCLE, size="1024x1024", extra_body={"seed": 3}
    )
    assert (answer.size, answer.output_format, answer.background) == ("128x128", "png", "opaque")
    assert answer.data
    image = picture_in(answer.data[0].b64_json)
    assert image.size == (128, 128)
    assert looks_like(image, shape="circle", colour="red", background="white")
    # Some follow the address with their key, some without.
    assert answer.data[0].url
    assert answer.data[0].url.startswith(f"{door_farm.url}/files/")
    for headers in ({}, {"Authorization": f"Bearer {door_farm.key}"}):
        file = httpx.get(answer.data[0].url, headers=headers, trust_env=False)
        assert file.content == base64.b64decode(answer.data[0].b64_json or "")


def test_only_what_was_asked_for_is_answered(client: openai.OpenAI) -> None:
    for asked, other in (("url", "b64_json"), ("b64_json", "url")):
        answer = client.images.generate(
            prompt=CIRCLE, n=2, response_format=asked, output_format="webp", extra_body={"seed": 3}
        )
        assert answer.data
        assert answer.output_format == "webp"
        assert [bool(getattr(image, asked)) for image in answer.data] == [True, True]
        assert [getattr(image, other) for image in answer.data] == [None, None]


def test_the_same_words_again_make_a_new_picture(client: openai.OpenAI) -> None:
    pictures = {client.images.generate(prompt=CIRCLE).data[0].b64_json for _ in range(2)}
    assert len(pictures) == 2


def test_a_stream_shows_the_picture_come_into_being(client: openai.OpenAI) -> None:
    events = list(
        client.images.generate(
            prompt=CIRCLE,
            stream=True,
            partial_images=2,
            quality="high",
            extra_body={"num_inference_steps": 150, "seed": 3},
        )
    )
    *partial, last = events
    assert 1 <= len(partial) <= 2
    assert [event.partial_image_index for event in partial] == list(range(len(partial)))
    assert {event.type for event in partial} == {"image_generation.partial_image"}
    assert all(picture_in(event.b64_json).format == "JPEG" for event in partial)
    assert (last.type, last.quality, last.size) == ("image_generation.completed", "high", "128x128")
    assert last.usage.total_tokens == 0
    wanted = {"shape": "circle", "colour": "red", "background": "white"}
    assert looks_like(picture_in(last.b64_json), **wanted)


def test_a_stream_tells_what_went_wrong(client: openai.OpenAI) -> None:
    with (
        pytest.raises(openai.APIError, match="tokens") as failed,
        client.images.generate(prompt="a red circle " * 300, stream=True) as events,
    ):
        list(events)
    assert failed.value.code == "prompt_too_long"
    with pytest.raises(openai.BadRequestError, match="tokens"):
        client.images.generate(prompt="a red circle " * 300)


def test_a_mask_leaves_the_rest_as_it_is(client: openai.OpenAI) -> None:
    """Transparent is what is drawn anew: the lower half, of a white picture with a red top."""
    picture = Image.new("RGB", (128, 128), "white")
    picture.paste("red", (0, 0, 128, 64))
    mask = Image.new("RGBA", (128, 128), "black")
    mask.paste((0, 0, 0, 0), (0, 64, 128, 128))
    answer = client.images.edit(
        image=("a.png", as_png(picture)),
        mask=("m.png", as_png(mask)),
        prompt="a blue square on a yellow background",
        extra_body={"seed": 1},
    )
    drawn = picture_in(answer.data[0].b64_json).convert("RGB")
    kept, anew = drawn.crop((8, 8, 120, 48)), drawn.crop((0, 72, 128, 128))
    assert max(abs(value - wish) for value, wish in zip(mean(kept), (255, 0, 0), strict=True)) < 60
    assert min(mean(anew)) < 200


def test_the_first_of_several_pictures_is_changed(client: openai.OpenAI) -> None:
    red, blue = (as_png(Image.new("RGB", (96, 64), colour)) for colour in ("red", "blue"))
    events = client.images.edit(
        image=[("a.png", red), ("b.png", blue)],
        prompt="a red circle on a red background",
        stream=True,
        extra_body={"strength": 0.1, "seed": 1},
    )
    *_, last = events
    assert (last.type, last.size) == ("image_edit.completed", "96x64")
    red_part, _, blue_part = mean(picture_in(last.b64_json).convert("RGB"))
    assert red_part > 150 > blue_part


def test_models_are_listed_and_found(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()][:2] == ["myriad-shapes", "myriad-mini"]
    assert client.models.retrieve("myriad-mini").owned_by == "myriad"
    assert client.models.retrieve("dall-e-3").id == "myriad-shapes"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nothing")


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"size": "big"}, "size"),
        ({"n": 11}, "n"),
        ({"n": 9}, "n"),  # more than the model draws at once
        ({"output_format": "svg"}, "output_format"),
        ({"response_format": "file"}, "response_format"),
        ({"prompt": None}, "prompt"),
        ({"prompt": 7}, "prompt"),
        ({"partial_images": 4}, "partial_images"),
        ({"extra_body": {"loras": [{"name": "nothing"}]}}, "loras.0.name"),
        ({"extra_body": {"num_inference_steps": 1000}}, "num_inference_steps"),
        ({"extra_body": {"scheduler": "none"}}, "scheduler"),
    ],
)
def test_a_wrong_field_is_named(
    client: openai.OpenAI, asked: dict[str, object], param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.images.generate(**{"prompt": CIRCLE, **asked})
    assert refused.value.param == param
    assert refused.value.type == "invalid_request_error"
    assert refused.value.request_id


def test_errors_have_the_clients_own_classes(client: openai.OpenAI, door_farm: DoorFarm) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        client.images.generate(prompt=CIRCLE, model="nothing")
    assert (missing.value.code, missing.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.AuthenticationError) as stranger:
        client.with_options(api_key="wrong").images.generate(prompt=CIRCLE)
    assert stranger.value.code == "invalid_api_key"
    with pytest.raises(openai.BadRequestError) as plain:
        client.images.edit(
            image=("a.png", as_png(Image.new("RGB", (64, 64)))),
            mask=("m.png", as_png(Image.new("RGB", (64, 64)))),
            prompt=CIRCLE,
        )
    assert plain.value.param == "mask"
    with pytest.raises(openai.BadRequestError) as broken:
        client.images.edit(image=("a.png", b"not a picture"), prompt=CIRCLE)
    assert broken.value.param == "image"


def test_what_cannot_be_mended_is_not_tried_again(door_farm: DoorFarm) -> None:
    headers = {"Authorization": f"Bearer {door_farm.key}"}
    answer = httpx.post(
        f"{door_farm.url}/v1/images/generations", headers=headers, json={}, trust_env=False
    )
    assert (answer.status_code, answer.headers["x-should-retry"]) == (400, "false")
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


def test_another_key_sees_nothing_of_it(client: openai.OpenAI, door_farm: DoorFarm) -> None:
    client.images.generate(prompt="a secret circle")
    assert len(jobs_of(door_farm, "a secret circle")) == 1
    assert jobs_of(door_farm, "a secret circle", key=door_farm.other_key) == []


def test_the_async_client(door_farm: DoorFarm) -> None:
    async def draw() -> list[str | None]:
        async with openai.AsyncOpenAI(
            base_url=f"{door_farm.url}/v1", api_key=door_farm.key
        ) as opened:
            both = (opened.images.generate(prompt=CIRCLE) for _ in range(2))
            return [answer.data[0].b64_json for answer in await asyncio.gather(*both)]

    assert len(set(asyncio.run(draw()))) == 2


def test_open_webui(door_farm: DoorFarm) -> None:
    """As its `openai` engine asks, and as it then fetches the picture."""
    headers = {"Authorization": f"Bearer {door_farm.key}", "Content-Type": "application/json"}
    asked = {"model": "dall-e-2", "prompt": CIRCLE, "n": 1, "size": "512x512"}
    with httpx.Client(headers=headers, trust_env=False) as http:
        base = f"{door_farm.url}/v1"
        answer = http.post(f"{base}/images/generations", json={**asked, "seed": -1}, timeout=60)
        image = answer.json()["data"][0]
        assert http.get(image["url"]).headers["content-type"] == "image/png"
        said = {**asked, "response_format": "b64_json"}
        image = http.post(f"{base}/images/generations", json=said, timeout=60).json()["data"][0]
        assert set(image) == {"b64_json"}
    red = as_png(Image.new("RGB", (64, 64), "red"))
    for name in ("image", "image[]"):
        changed = httpx.post(
            f"{base}/images/edits",
            headers={"Authorization": headers["Authorization"]},
            data={"model": "gpt-image-1", "prompt": CIRCLE, "n": "1", "size": "64x64"},
            files=[(name, ("image.png", red, "image/png"))],
            timeout=60,
            trust_env=False,
        )
        assert picture_in(changed.json()["data"][0]["b64_json"]).size == (64, 64)


def test_librechat(client: openai.OpenAI, door_farm: DoorFarm) -> None:
    """Its image tool: the stock client to draw, a form of its own to change."""
    answer = client.images.generate(
        model="gpt-image-1",
        prompt=CIRCLE,
        n=1,
        background="auto",
        output_format="png",
        quality="auto",
        size="auto",
        extra_body={"output_compression": None},
    )
    drawn = base64.b64decode(answer.data[0].b64_json or "")
    changed = httpx.post(
        f"{door_farm.url}/v1/images/edits",
        headers={"Authorization": f"Bearer {door_farm.key}"},
        data={"model": "gpt-image-1", "prompt": CIRCLE, "quality": "auto", "size": "1536x1024"},
        files=[("image[]", ("a.png", drawn, "image/png")), ("image[]", ("b.png", drawn))],
        timeout=60,
        trust_env=False,
    )
    assert picture_in(changed.json()["data"][0]["b64_json"]).size == (152, 104)
