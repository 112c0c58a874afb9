"""The form beyond prompt and size: pictures, additions, videos; all without JavaScript."""

import re
from html import unescape
from io import BytesIO
from typing import Any

import pytest
from flask.testing import FlaskClient

from myriad.db.inputs import find_inputs
from myriad.db.jobs import find_job, list_jobs
from myriad.db.keys import create_key
from myriad.farm import Farm
from myriad.record import JobRecord
from tests.web.bombs import BOMBS, picture
from tests.web.test_pages import FORM, csrf, text


def send(client: FlaskClient, **changes: Any) -> Any:
    data = {**FORM, "csrf_token": csrf(client), **changes}
    return client.post("/", data=data, content_type="multipart/form-data")


def made(client: FlaskClient, farm: Farm, **changes: Any) -> JobRecord:
    response = send(client, **changes)
    assert response.status_code == 303, text(response.text)
    return find_job(farm.db, response.location.removeprefix("/jobs/"), scope="")


def file(data: bytes = b"", name: str = "a.png") -> tuple[BytesIO, str]:
    return BytesIO(data), name


def hidden(page: str, name: str) -> str:
    match = re.search(rf'name="{name}_id" value="([0-9a-f]{{64}})"', page)
    assert match, name
    return match[1]


def test_a_picture_and_its_mask(client: FlaskClient, farm: Farm) -> None:
    job = made(client, farm, image=file(picture()), mask=file(picture("JPEG")), strength="0.5")
    digests = job.params["image"], job.params["mask"]
    assert set(find_inputs(farm.db, digests, scope="")) == set(digests)
    assert job.params["strength"] == 0.5
    page = client.get(f"/jobs/{job.id}").text
    for kind in ("Picture", "Mask"):
        source = re.search(rf'<img src="([^"]+)" alt="{kind}"', page)
        assert source
        assert client.get(unescape(source[1])).content_type == "image/png"


def test_the_size_may_be_the_picture_s(client: FlaskClient, farm: Farm) -> None:
    job = made(client, farm, image=file(picture("PNG", 96, 64)), size="own")
    assert (job.params["width"], job.params["height"]) == (96, 64)
    assert made(client, farm, size="own").params["width"] == 64


def test_additions(client: FlaskClient, farm: Farm) -> None:
    job = made(
        client,
        farm,
        lora_gold="on",
        lora_scale_gold="－0.5",
        lora_scale_ink="0.3",
        control1_model="edges",
        control1_image=file(picture()),
        control1_scale="0.7",
        reproducible="on",
    )
    assert job.params["loras"] == [{"name": "gold", "scale": -0.5}]
    [net] = job.params["controlnets"]
    assert (net["model"], net["scale"]) == ("edges", 0.7)
    assert job.params["reproducible"] is True
    page = text(client.get(f"/jobs/{job.id}").text)
    assert "gold × -0.5" in page
    assert "edges × 0.7" in page
    assert "Reproducible yes" in page


def test_a_refiner(client: FlaskClient, farm: Farm) -> None:
    job = made(client, farm, model="large", refiner="polish", denoising_start="0.5")
    assert job.params["refiner"] == {"model": "polish", "denoising_start": 0.5}
    assert "polish ≥ 50%" in text(client.get(f"/jobs/{job.id}").text)
    assert made(client, farm, model="large", refiner="").params["refiner"] is None


def test_a_video(client: FlaskClient, farm: Farm) -> None:
    job = made(client, farm, model="film", num_frames="9", fps="12", output_format="png")
    assert (job.params["num_frames"], job.params["fps"]) == (9, 12)
    assert job.params["output_format"] == "mp4"
    job = made(client, farm, model="film", num_frames="1", fps="12", output_format="webp")
    assert (job.params["num_frames"], job.params["fps"]) == (1, None)
    assert job.params["output_format"] == "webp"


def test_settings_with_pictures_can_be_reused(client: FlaskClient, farm: Farm) -> None:
    job = made(
        client,
        farm,
        image=file(picture()),
        mask=file(picture("WEBP")),
        strength="0.25",
        lora_ink="on",
        control0_model="depth",
        control0_image=file(picture("JPEG")),
        control0_scale="0.5",
        reproducible="on",
    )
    page = client.get(f"/?from={job.id}").text
    assert page.count('class="kept"') == 3
    again = made(
        client,
        farm,
        image_id=hidden(page, "image"),
        mask_id=hidden(page, "mask"),
        strength=re.search(r'name="strength"[^>]* value="([^"]*)"', page)[1],  # type: ignore[index]
        lora_ink="on",
        control0_model="depth",
        control0_image_id=hidden(page, "control0_image"),
        control0_scale="0.5",
        reproducible="on",
    )
    assert again.params == job.params
    assert again.cache == "joined"
    assert 'name="lora_ink" checked' in page
    assert 'value="depth" selected' in page
    assert 'name="reproducible" checked' in page


def test_a_video_s_settings_can_be_reused(client: FlaskClient, farm: Farm) -> None:
    job = made(client, farm, model="film", num_frames="9", fps="12")
    page = client.get(f"/?from={job.id}").text
    assert re.search(r'name="num_frames"[^>]* value="9"', page)
    assert re.search(r'name="fps"[^>]* value="12"', page)
    assert 'value="png" selected' in page


def test_retry_and_remix_take_everything_along(client: FlaskClient, farm: Farm) -> None:
    job = made(
        client,
        farm,
        image=file(picture()),
        lora_ink="on",
        control0_model="depth",
        control0_image=file(picture()),
    )
    for verb in ("retry", "remix"):
        token = csrf(client, f"/jobs/{job.id}")
        client.post(f"/jobs/{job.id}/cancel", data={"csrf_token": token})
        location = client.post(f"/jobs/{job.id}/{verb}", data={"csrf_token": token}).location
        other = find_job(farm.db, location.removeprefix("/jobs/"), scope="")
        assert other.params | {"seed": 7} == job.params


def test_the_form_keeps_pictures_over_an_error(client: FlaskClient, farm: Farm) -> None:
    response = send(client, image=file(picture()), mask=file(picture("JPEG")), seed="x")
    assert response.status_code == 400
    ids = {f"{name}_id": hidden(response.text, name) for name in ("image", "mask")}
    job = made(client, farm, **ids)
    assert (job.params["image"], job.params["mask"]) == (ids["image_id"], ids["mask_id"])
    plain = made(client, farm, **ids, drop_image="on")
    assert (plain.params["image"], plain.params["mask"]) == (None, None)
    unmasked = made(client, farm, **ids, drop_mask="on")
    assert unmasked.params["mask"] is None
    newer = made(client, farm, **ids, image=file(picture("PNG", 8, 8)))
    assert newer.params["image"] != ids["image_id"]


def test_controls_move_up_over_an_error(client: FlaskClient) -> None:
    response = send(
        client, control1_model="depth", control1_image=file(picture()), control1_scale="9"
    )
    assert response.status_code == 400
    assert hidden(response.text, "control0_image")
    assert 'id="bad-controlnets.0.scale"' in response.text
    assert re.search(r'name="control0_scale"[^>]* value="9" aria-invalid', response.text)


MENDED: list[tuple[dict[str, Any], str]] = [
    ({"image": file(BOMBS["svg"])}, "image"),
    ({"image": file(BOMBS["50,000 × 50,000 png"])}, "image"),
    ({"image": file(BOMBS["animated webp"])}, "image"),
    ({"image": file(picture()), "mask": file(BOMBS["gif"])}, "mask"),
    ({"mask": file(picture())}, "mask"),
    ({"image_id": "f" * 64}, "image"),
    ({"image_id": "../../etc/passwd"}, "image"),
    ({"image": file(picture()), "strength": "0.01"}, "strength"),
    ({"image": file(picture()), "strength": "2"}, "strength"),
    ({"image": file(picture()), "strength": "x"}, "strength"),
    ({"control0_model": "edges"}, "controlnets.0.image"),
    ({"control0_image": file(picture())}, "controlnets.0.model"),
    ({"control0_model": "none", "control0_image": file(picture())}, "controlnets.0.model"),
    ({"control0_model": "edges", "control0_image": file(b"x")}, "controlnets.0.image"),
    ({"control1_model": "edges", "control1_image": file(b"x")}, "controlnets.0.image"),
    ({"lora_ink": "on", "lora_gold": "on", "lora_scale_gold": "9"}, "loras.1.scale"),
    ({"model": "large", "refiner": "none"}, "refiner.model"),
    ({"model": "large", "refiner": "polish", "denoising_start": "1"}, "refiner.denoising_start"),
    ({"model": "film", "num_frames": "6"}, "num_frames"),
    ({"model": "film", "num_frames": "x"}, "num_frames"),
    ({"model": "film", "num_frames": "5", "fps": "99"}, "fps"),
]


@pytest.mark.parametrize(("changes", "field"), MENDED, ids=range(len(MENDED)))
def test_what_is_to_be_mended_is_said_at_its_place(
    client: FlaskClient, farm: Farm, changes: dict[str, Any], field: str
) -> None:
    fresh = {
        name: (BytesIO(value[0].getvalue()), value[1]) if isinstance(value, tuple) else value
        for name, value in changes.items()
    }
    response = send(client, **fresh)
    assert response.status_code == 400
    assert f'id="bad-{field}"' in response.text
    assert f'aria-describedby="bad-{field}"' in response.text
    assert list_jobs(farm.db, scope=None).jobs == ()


def test_another_s_picture_is_not_shown(client: FlaskClient, farm: Farm) -> None:
    _, key = create_key(farm.db, "theirs")
    theirs = client.post(
        "/api/v1/inputs",
        data={"file": file(picture())},
        headers={"Authorization": f"Bearer {key}"},
    ).json["id"]
    _, mine = create_key(farm.db, "mine")
    client.post("/login", data={"key": mine, "csrf_token": csrf(client, "/login")})
    response = send(client, image_id=theirs)
    assert response.status_code == 400
    assert 'class="kept"' not in response.text
    assert theirs not in response.text


def test_only_what_the_model_takes_is_offered(client: FlaskClient) -> None:
    names = {
        model: set(re.findall(r'name="([a-z0-9_]+)"', client.get(f"/?model={model}").text))
        for model in ("tiny", "english", "film", "large")
    }
    assert {"image", "mask", "strength", "control1_image", "lora_gold"} <= names["tiny"]
    assert {"image", "mask"} <= names["english"]
    assert not {"control0_model", "lora_ink", "refiner", "num_frames"} & names["english"]
    assert {"num_frames", "fps"} <= names["film"]
    assert not {"image", "mask", "lora_ink"} & names["film"]
    assert {"refiner", "denoising_start", "lora_ink"} <= names["large"]


def test_a_form_that_is_too_large_is_refused(client: FlaskClient) -> None:
    token = csrf(client)
    data = b'--x\r\nContent-Disposition: form-data; name="prompt"\r\n\r\n' + b"x" * 2_000_001
    body = (
        data
        + f'\r\n--x\r\nContent-Disposition: form-data; name="csrf_token"\r\n\r\n{token}'.encode()
    )
    response = client.post(
        "/", data=body + b"\r\n--x--\r\n", content_type="multipart/form-data; boundary=x"
    )
    assert response.status_code == 413
