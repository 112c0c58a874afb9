"""AUTOMATIC1111's and ComfyUI's doors on a farm without keys, and what they refuse."""

import base64
import json

import pytest
from flask import request
from flask.testing import FlaskClient

from myriad.db.keys import create_key
from myriad.job import JobState
from tests.web.conftest import farm_of
from tests.web.drawing import finish_job, png
from web.app import FrontEnd
from web.auth import current_caller
from web.doors.comfyui.follower import follow
from web.doors.huggingface.request import read_task
from web.doors.waiting import draw
from web.farm import current_farm
from web.request import StrictRequest


@pytest.fixture(scope="module")
def client(module_app: FrontEnd) -> FlaskClient:
    return module_app.test_client()


def test_an_open_farm_minds_no_empty_authorization(client: FlaskClient) -> None:
    for path in ("/sdapi/v1/options", "/object_info"):
        assert client.get(path, headers={"authorization": ""}).status_code == 200


@pytest.mark.parametrize("body", ["", "{", "[]", '"x"', "3", "null"])
@pytest.mark.parametrize("path", ["/prompt", "/queue", "/sdapi/v1/txt2img", "/sdapi/v1/options"])
def test_a_body_that_is_none_is_never_our_fault(client: FlaskClient, path: str, body: str) -> None:
    answer = client.post(path, data=body, content_type="application/json")
    assert answer.status_code in (200, 400, 422), answer.text


def test_a_socket_is_not_for_other_sites_and_not_for_plain_requests(client: FlaskClient) -> None:
    assert client.get("/ws").status_code == 400
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade"}
    foreign = client.get("/ws", headers={**upgrade, "Origin": "https://elsewhere.example"})
    assert (foreign.status_code, foreign.json["error"]["type"]) == (403, "forbidden")
    broken = client.get("/ws", headers={**upgrade, "Origin": "http://["})
    assert (broken.status_code, broken.json["error"]["type"]) == (403, "forbidden")


def test_each_address_answers_under_api_too(client: FlaskClient) -> None:
    for path in ("/queue", "/history", "/embeddings", "/system_stats", "/object_info/KSampler"):
        assert client.get(path).json == client.get(f"/api{path}").json


def test_a_file_has_no_other_names(client: FlaskClient) -> None:
    for name in ("../../etc/passwd", "x.png", "a" * 64 + ".png", "", "a" * 32 + "_00001_.png"):
        for kind in ("output", "temp", "input", "secret"):
            query = {"filename": name, "type": kind}
            assert client.get("/view", query_string=query).status_code == 404


def test_a_picture_is_called_what_it_is_called_here(module_app: FrontEnd) -> None:
    client, farm = module_app.test_client(), farm_of(module_app)
    job_id = client.post("/api/v1/jobs", json={"model": "tiny", "prompt": "x"}).json["id"]
    finish_job(farm, job_id)
    name = f"{job_id}_00001_.png"
    found = client.get("/view", query_string={"filename": name})
    assert found.status_code == 200, found.text
    assert found.headers["Content-Disposition"] == f'filename="{name}"'
    arabic = f"{job_id}_0000\N{ARABIC-INDIC DIGIT ONE}_.png"
    assert client.get("/view", query_string={"filename": arabic}).status_code == 404


def test_a_place_is_given_back_whatever_goes_wrong(module_app: FrontEnd) -> None:
    for _ in range(100):
        with pytest.raises(KeyError):  # a server without connections to part with
            follow(farm_of(module_app), {}, "", "me")


def test_a_key_in_the_address_is_for_sockets_only(app: FrontEnd) -> None:
    client, query = app.test_client(), {"token": create_key(farm_of(app).db, "me")[1]}
    for path in ("/ws", "/api/ws"):
        assert client.get(path, query_string=query).status_code == 400, "let in, but no handshake"
    for path in ("/history/ws", "/api/history/ws"):
        assert client.get(path, query_string=query).status_code == 401


def test_large_bodies_are_for_pictures_only(client: FlaskClient) -> None:
    asked = {"sampler_name": "none such", "init_images": ["A" * 3_000_000]}
    read = client.post("/sdapi/v1/img2img", json=asked)
    assert (read.status_code, read.json["detail"]) == (404, "Sampler not found")
    escaped = json.dumps(asked).replace("A" * 8, "A\\/\\u002B")
    read = client.post("/sdapi/v1/img2img", data=escaped, content_type="application/json")
    assert (read.status_code, read.json["detail"]) == (404, "Sampler not found")
    asked["init_images"] = ["A" * 300] * 10_000
    assert client.post("/sdapi/v1/img2img", json=asked).status_code == 413
    asked["init_images"] = ["A" * 30_000_000]
    assert client.post("/sdapi/v1/img2img", json=asked).status_code == 413


@pytest.mark.parametrize(
    "asked",
    [
        {"width": 10**300},
        {"height": -1},
        {"seed": 10**300},
        {"batch_size": 10**300, "n_iter": 10**300},
        {"steps": 10**300},
        {"sampler_name": " " * 1_000_000},
        {"prompt": "<a:" * 500_000},
        {"prompt": "\x00"},
        {"override_settings": {"sd_model_checkpoint": {"a": []}}},
    ],
    ids=lambda asked: next(iter(asked)),
)
def test_odd_values_are_refused_at_once(client: FlaskClient, asked: dict[str, object]) -> None:
    answer = client.post("/sdapi/v1/txt2img", json=asked)
    assert answer.status_code in (400, 404), answer.text
    assert set(answer.json) == {"error", "detail", "body", "errors"}


def test_a_number_without_end_is_none(client: FlaskClient) -> None:
    body = '{"prompt": "x", "cfg_scale": 1e999}'
    answer = client.post("/sdapi/v1/txt2img", data=body, content_type="application/json")
    assert (answer.status_code, answer.json["detail"][0]["loc"]) == (422, ["body", "cfg_scale"])


def test_nobody_holds_the_uploads_while_a_client_waits(module_app: FrontEnd) -> None:
    picture = base64.b64encode(png()).decode()
    body = {"inputs": picture, "parameters": {"prompt": "a star"}}
    with module_app.test_request_context("/hf/models/tiny", method="POST", json=body):
        module_app.preprocess_request()
        assert isinstance(request, StrictRequest)
        model = current_farm().catalog.find("tiny")
        task, parts = read_task(request.untyped_json.value, model, "png")
        record = draw(task, current_caller(), parts, seconds=0, door="huggingface")
        assert record.state is JobState.QUEUED
        assert record.params["image"]
        assert not parts
        assert request.get_data() == b""
        assert "untyped_json" not in vars(request._get_current_object())
