"""Pictures handed in: as uploads, beside a request, or inside one."""

import base64
import json
from io import BytesIO
from typing import Any

import pytest
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.test import TestResponse

from myriad.db.inputs import find_inputs
from myriad.db.jobs import list_jobs
from myriad.db.keys import create_key
from myriad.farm import Farm
from myriad.inputs import input_key
from tests.web.bombs import BOMBS, picture
from tests.web.conftest import OpenApp

JOBS, INPUTS = "/api/v1/jobs", "/api/v1/inputs"


def file(data: bytes, name: str = "picture.png") -> tuple[BytesIO, str]:
    return BytesIO(data), name


def uri(data: bytes, kind: str = "png") -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def hand_in(client: FlaskClient, data: bytes, **headers: str) -> dict[str, Any]:
    response = client.post(INPUTS, data={"file": file(data)}, headers=headers)
    assert response.status_code == 201, response.text
    body: dict[str, Any] = response.json
    return body


def ask(client: FlaskClient, **fields: Any) -> TestResponse:
    return client.post(JOBS, json={"prompt": "a circle", **fields})


def params_of(response: TestResponse) -> dict[str, Any]:
    assert response.status_code == 201, response.text
    values: dict[str, Any] = response.json["input"]
    return values


def refused(response: TestResponse, field: str | None, status: int = 400) -> str:
    assert response.status_code == status, response.text
    assert response.json["error"].get("field") == field, response.text
    return str(response.json["error"]["message"])


def with_parts(params: object, **parts: Any) -> dict[str, Any]:
    text = params if isinstance(params, str) else json.dumps(params)
    return {"params": text, **parts}


def test_an_upload_is_kept_under_its_content(client: FlaskClient, farm: Farm) -> None:
    first = hand_in(client, picture("JPEG"))
    assert set(first) == {"id", "width", "height", "size_bytes", "created_at"}
    assert (first["width"], first["height"]) == (48, 32)
    stored = farm.storage.get(input_key(first["id"]))
    assert len(stored) == first["size_bytes"]
    assert Image.open(BytesIO(stored)).size == (48, 32)
    again = hand_in(client, picture("JPEG"))
    assert again["id"] == first["id"]
    assert again["created_at"] > first["created_at"]


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_at_the_door(client: FlaskClient, farm: Farm, name: str) -> None:
    refused(client.post(INPUTS, data={"file": file(BOMBS[name])}), "file")
    assert list(farm.storage.list_keys("inputs/")) == []


def test_an_upload_is_one_file(client: FlaskClient) -> None:
    good = picture()
    refused(client.post(INPUTS, data={"other": file(good)}), "file")
    text = client.post(INPUTS, data={"file": "x"}, content_type="multipart/form-data")
    refused(text, "file")
    refused(client.post(INPUTS, data={"file": [file(good), file(good)]}), "file")
    refused(client.post(INPUTS, data={"file": file(good), "more": "x"}), "file")
    refused(client.post(INPUTS, json={"file": uri(good)}), None, status=415)
    bare = client.post(INPUTS, data=b"x", content_type="multipart/form-data")
    refused(bare, None, status=415)


def test_an_input_starts_a_picture(client: FlaskClient) -> None:
    digest = hand_in(client, picture())["id"]
    params = params_of(ask(client, image=digest, width=64, height=64, strength=0.5))
    assert (params["image"], params["strength"]) == (digest, 0.5)


def test_a_data_uri_is_the_same_input(client: FlaskClient) -> None:
    digest = hand_in(client, picture())["id"]
    params = params_of(ask(client, image=uri(picture()), mask=uri(picture("WEBP"), "webp")))
    assert params["image"] == digest
    assert params["mask"] not in (None, digest)
    assert params["strength"] == 1.0


def test_without_a_size_the_picture_s_own_is_drawn(client: FlaskClient) -> None:
    sizes = {(96, 64): (96, 64), (99, 70): (96, 64), (300, 100): (128, 64), (40, 20): (128, 64)}
    for (width, height), wanted in sizes.items():
        params = params_of(ask(client, image=uri(picture("PNG", width, height))))
        assert (params["width"], params["height"]) == wanted
    params = params_of(ask(client, image=uri(picture()), width=128, height=128))
    assert (params["width"], params["height"]) == (128, 128)


def test_pictures_may_come_beside_the_request(client: FlaskClient) -> None:
    digest = hand_in(client, picture())["id"]
    asked = {"prompt": "a circle", "controlnets": [{"model": "edges"}, {"model": "edges"}]}
    controls = [file(picture()), file(picture("JPEG"))]
    parts = {"image": file(picture()), "mask": file(picture()), "control_image": controls}
    params = params_of(client.post(JOBS, data=with_parts(asked, **parts)))
    assert params["image"] == digest
    assert params["mask"] not in (None, digest)
    first, second = (net["image"] for net in params["controlnets"])
    assert (first == digest, second == digest) == (True, False)


def test_params_may_be_a_file_too(client: FlaskClient) -> None:
    asked = file(json.dumps({"prompt": "a", "seed": 1}).encode(), "job.json")
    assert params_of(client.post(JOBS, data={"params": asked}))["seed"] == 1


def test_named_and_brought_controls_mix(client: FlaskClient) -> None:
    digest = hand_in(client, picture())["id"]
    nets = [{"model": "edges"}, {"model": "edges", "image": digest, "scale": 0.5}]
    asked = with_parts({"prompt": "a", "controlnets": nets}, control_image=file(picture("JPEG")))
    controls = params_of(client.post(JOBS, data=asked))["controlnets"]
    assert [net["image"] == digest for net in controls] == [False, True]
    assert [net["scale"] for net in controls] == [1.0, 0.5]


def test_what_is_wrong_with_the_parts_is_told(client: FlaskClient) -> None:
    good = picture()
    nets = [{"model": "edges"}]
    cases: list[tuple[dict[str, Any], str | None]] = [
        ({"image": file(good)}, "params"),
        ({"params": ['{"prompt": "a"}', '{"prompt": "b"}']}, "params"),
        (with_parts("{"), None),
        (with_parts("[]"), None),
        (with_parts({}), "prompt"),
        (with_parts({"prompt": "a", "steps": 1}), "steps"),
        (with_parts({"prompt": "a"}, image="text"), "image"),
        (with_parts({"prompt": "a"}, imag=file(good)), "imag"),
        (with_parts({"prompt": "a"}, image=[file(good), file(good)]), "image"),
        (with_parts({"prompt": "a", "image": uri(good)}, image=file(good)), "image"),
        (with_parts({"prompt": "a"}, image=file(b"GIF89a")), "image"),
        (with_parts({"prompt": "a"}, mask=file(good)), "mask"),
        (with_parts({"prompt": "a"}, mask=file(b"")), "mask"),
        (with_parts({"prompt": "a"}, control_image=file(good)), "control_image"),
        (with_parts({"prompt": "a", "controlnets": nets}), "controlnets.0.image"),
        (
            with_parts({"prompt": "a", "controlnets": nets}, control_image=[file(good)] * 1),
            None,
        ),
        (
            with_parts(
                {"prompt": "a", "controlnets": nets}, control_image=[file(good), file(good)]
            ),
            "control_image",
        ),
        (
            with_parts({"prompt": "a", "controlnets": nets}, control_image=file(b"x")),
            "control_image",
        ),
    ]
    for data, field in cases:
        response = client.post(JOBS, data=data, content_type="multipart/form-data")
        if response.status_code != 201:
            refused(response, field)


FIELDS: list[tuple[dict[str, Any], str]] = [
    ({"image": "x"}, "image"),
    ({"image": "f" * 64}, "image"),
    ({"image": "F" * 64}, "image"),
    ({"image": "https://example.com/a.png"}, "image"),
    ({"image": "file:///etc/passwd"}, "image"),
    ({"image": "../" * 20}, "image"),
    ({"image": "data:image/gif;base64,R0lGOD"}, "image"),
    ({"image": "data:image/png;base64,????"}, "image"),
    ({"image": "data:image/png;base64,iVBORw0KGgo"}, "image"),
    ({"image": "data:image/svg+xml;base64,PHN2Zy8+"}, "image"),
    ({"image": uri(b"<svg/>")}, "image"),
    ({"image": 1}, "image"),
    ({"image": uri(picture()), "strength": 0}, "strength"),
    ({"image": uri(picture()), "strength": 0.1}, "strength"),
    ({"mask": uri(picture())}, "mask"),
    ({"image": uri(picture()), "mask": "f" * 64}, "mask"),
    ({"controlnets": [{"model": "none", "image": uri(picture())}]}, "controlnets.0.model"),
    ({"controlnets": [{"model": "edges", "image": "f" * 64}]}, "controlnets.0.image"),
    ({"controlnets": [{"model": "edges", "image": uri(b"x")}]}, "controlnets.0.image"),
    ({"controlnets": [{"model": "edges", "scales": 1}]}, "controlnets.0.scales"),
    ({"controlnets": [{"image": "f" * 64}]}, "controlnets.0.model"),
    ({"controlnets": [{"model": "edges"}] * 5}, "controlnets"),
    ({"controlnets": {"model": "edges"}}, "controlnets"),
    ({"loras": [{"name": "none"}]}, "loras.0.name"),
    ({"loras": [{"name": "ink", "scale": "1"}]}, "loras.0.scale"),
    ({"loras": ["ink"]}, "loras.0"),
    ({"loras": [{"name": "ink"}] * 20_000}, "loras"),
    ({"refiner": {"model": "none"}}, "refiner.model"),
    ({"refiner": {"model": "none", "denoising_start": 2}}, "refiner.denoising_start"),
    ({"num_frames": 5}, "num_frames"),
    ({"fps": 0}, "fps"),
    ({"fps": 5}, "fps"),
    ({"output_format": "mp4"}, "output_format"),
    ({"reproducible": "yes"}, "reproducible"),
    ({"deadline_s": 0}, "deadline_s"),
    ({"deadline_s": 10**9}, "deadline_s"),
]


@pytest.mark.parametrize(("fields", "culprit"), FIELDS, ids=range(len(FIELDS)))
def test_bad_field_is_named_and_nothing_is_kept(
    client: FlaskClient, farm: Farm, fields: dict[str, Any], culprit: str
) -> None:
    refused(ask(client, **fields), culprit)
    assert list(farm.storage.list_keys("inputs/")) == []
    assert list_jobs(farm.db, scope=None).jobs == ()


def test_inputs_are_their_owner_s(client: FlaskClient, farm: Farm) -> None:
    keys = [create_key(farm.db, name) for name in ("mine", "yours")]
    mine, yours = ({"Authorization": f"Bearer {key}"} for _, key in keys)
    digest = hand_in(client, picture(), **mine)["id"]
    asked = {"prompt": "a circle", "image": digest}
    assert client.post(JOBS, json=asked, headers=mine).status_code == 201
    assert "no such input" in refused(client.post(JOBS, json=asked, headers=yours), "image")
    assert find_inputs(farm.db, [digest], scope="") == {}
    assert client.post(INPUTS, data={"file": file(picture())}).status_code == 401


def test_an_idempotency_key_covers_the_pictures(client: FlaskClient) -> None:
    def send(data: bytes) -> TestResponse:
        parts = with_parts({"prompt": "a"}, image=file(data))
        return client.post(JOBS, data=parts, headers={"Idempotency-Key": "k"})

    first, again = send(picture()), send(picture())
    assert first.json["id"] == again.json["id"]
    assert send(picture("JPEG")).status_code == 422


def test_the_same_picture_however_it_came_is_one_run(client: FlaskClient) -> None:
    digest = hand_in(client, picture())["id"]
    asked = {"prompt": "a", "seed": 1}
    first = ask(client, **asked, image=digest).json
    second = ask(client, **asked, image=uri(picture())).json
    third = client.post(JOBS, data=with_parts(asked, image=file(picture()))).json
    assert [job["cache"] for job in (first, second, third)] == ["miss", "joined", "joined"]
    assert ask(client, **asked, image=uri(picture("JPEG"))).json["cache"] == "miss"


def whole(data: bytes) -> dict[str, Any]:
    """A multipart body in one piece: the test client would leave a large one's file open."""
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
    body = head + data + b"\r\n--x--\r\n"
    return {"data": body, "content_type": "multipart/form-data; boundary=x"}


def test_large_bodies_are_for_pictures_only(client: FlaskClient, open_app: OpenApp) -> None:
    large = picture("PNG", 64, 64) + b"\0" * 3_000_000  # what follows the picture is dropped
    assert ask(client, image=uri(large)).status_code == 201
    assert client.post(INPUTS, **whole(large)).status_code == 201
    for fields in ({"negative_prompt": "x" * 2_000_001}, {"metadata": {"a": "data:" * 500_000}}):
        refused(ask(client, **fields), None, status=413)
    many = {"loras": ["data:image/"] * 200_000}
    refused(ask(client, **many), None, status=413)
    short = open_app(max_upload_bytes=2_000_000).test_client()
    refused(short.post(INPUTS, **whole(large)), None, status=413)
    refused(ask(short, image=uri(large)), None, status=413)


def test_models_say_what_may_be_added(client: FlaskClient) -> None:
    tiny, english = client.get("/api/v1/models").json["models"][:2]
    assert tiny["modes"] == ["image-to-image", "inpainting", "text-to-image"]
    assert tiny["controlnet_modes"] == tiny["modes"]
    assert [net["name"] for net in tiny["controlnets"]] == ["edges", "depth"]
    assert tiny["loras"][0] == {"name": "ink", "title": "Ink", "trigger": "in ink"}
    assert (english["controlnets"], english["loras"], english["refiners"]) == ([], [], [])
    assert english["controlnet_modes"] == []


def test_a_deadline_runs_by_itself(client: FlaskClient) -> None:
    first = ask(client, deadline_s=60).json
    second = ask(client, deadline_s=60).json
    plain = ask(client).json
    assert [job["cache"] for job in (first, second, plain)] == ["miss"] * 3
    assert first["created_at"] < first["deadline_at"]
    assert plain["deadline_at"] is None
    assert ask(client, deadline_s=None).json["cache"] == "joined"
