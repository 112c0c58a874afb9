"""Bad requests: always a 4xx in one shape, naming the field at fault."""

import json

import pytest
from flask.testing import FlaskClient

from myriad.db.migrate import upgrade
from tests.web.conftest import OpenApp
from web.app import FrontEnd

JOBS = "/api/v1/jobs"


@pytest.fixture(scope="module")
def client(module_app: FrontEnd) -> FlaskClient:
    """One front end for all: nothing here may leave a trace."""
    return module_app.test_client()


FIELDS = [
    ({"prompt": 1}, "prompt"),
    ({"prompt": None}, "prompt"),
    ({}, "prompt"),
    ({"prompt": "x" * 8001}, "prompt"),
    ({"prompt": "\0"}, "prompt"),
    ({"prompt": "a\x1b[31m"}, "prompt"),
    ({"negative_prompt": "\0"}, "negative_prompt"),
    ({"model": "other"}, "model"),
    ({"model": "\0"}, "model"),
    ({"model": ["tiny"]}, "model"),
    ({"width": "64"}, "width"),
    ({"width": 64.0}, "width"),
    ({"width": 65}, "width"),
    ({"width": 65536, "height": 65536}, "width"),
    ({"width": -64}, "width"),
    ({"height": True}, "height"),
    ({"num_inference_steps": "20"}, "num_inference_steps"),
    ({"num_inference_steps": True}, "num_inference_steps"),
    ({"num_inference_steps": 0}, "num_inference_steps"),
    ({"num_inference_steps": 10**9}, "num_inference_steps"),
    ({"num_inference_steps": 10**400}, "num_inference_steps"),
    ({"guidance_scale": "7"}, "guidance_scale"),
    ({"guidance_scale": -1}, "guidance_scale"),
    ({"seed": -1}, "seed"),
    ({"seed": 2**53}, "seed"),
    ({"seed": 2**53 - 1, "num_images": 2}, "seed"),
    ({"num_images": 10**6}, "num_images"),
    ({"scheduler": "magic"}, "scheduler"),
    ({"output_format": "exe"}, "output_format"),
    ({"cache": "no"}, "cache"),
    ({"cache": 0}, "cache"),
    ({"priority": 101}, "priority"),
    ({"priority": 1.5}, "priority"),
    ({"webhook": "ftp://example.com"}, "webhook"),
    ({"webhook": "http://[::ffff:127.0.0.1]/"}, "webhook"),
    ({"webhook_events_filter": ["finish"]}, "webhook_events_filter.0"),
    ({"webhook_events_filter": []}, "webhook_events_filter"),
    ({"webhook_events_filter": ["start"] * 20_000}, "webhook_events_filter"),
    ({"metadata": {"a": 1}}, "metadata.a"),
    ({"metadata": {"a": "\0"}}, "metadata.a"),
    ({"metadata": {str(number): "x" for number in range(17)}}, "metadata"),
    ({"metadata": {str(number): 1 for number in range(20_000)}}, "metadata"),
    ({"metadata": {"a": "x" * 501}}, "metadata.a"),
    ({"metadata": []}, "metadata"),
    ({"steps": 20}, "steps"),
    ({"api_key_id": "x"}, "api_key_id"),
    ({"x" * 100_000: 1}, "x" * 100),
]


@pytest.mark.parametrize(
    ("fields", "culprit"),
    FIELDS,
    ids=[f"{number}-{field[:24]}" for number, (_, field) in enumerate(FIELDS)],
)
def test_bad_field_is_named(client: FlaskClient, fields: dict[str, object], culprit: str) -> None:
    body = fields if culprit == "prompt" else {"prompt": "a circle", **fields}
    response = client.post(JOBS, json=body)
    assert response.status_code == 400, response.text[:500]
    assert response.json["error"]["code"] == "invalid_request"
    assert response.json["error"]["field"] == culprit


BODIES = {
    "empty": b"",
    "not json": b"prompt=a",
    "cut": b'{"prompt": "a"',
    "trailing": b'{"prompt": "a"} x',
    "nested arrays": b"[" * 100_000,
    "closed nested arrays": b"[" * 100_000 + b"]" * 100_000,
    "nested objects": b'{"prompt":' * 50_000 + b"1" + b"}" * 50_000,
    "nested value": b'{"prompt": "a", "metadata": ' + b'{"a":' * 900 + b"1" + b"}" * 901,
    "array": b"[]",
    "number": b"1",
    "null": b"null",
    "nan": b'{"prompt": "a", "guidance_scale": NaN}',
    "infinity": b'{"prompt": "a", "guidance_scale": -Infinity}',
    "overflow": b'{"prompt": "a", "guidance_scale": 1e999}',
    "long integer": b'{"prompt": "a", "seed": ' + b"9" * 5000 + b"}",
    "repeated name": b'{"prompt": "a", "prompt": "b"}',
    "invalid utf-8": b'{"prompt": "\xff\xfe"}',
    "overlong utf-8": b'{"prompt": "\xc0\xaf"}',
    "encoded surrogate": b'{"prompt": "\xed\xa0\x80"}',
    "lone surrogate": b'{"prompt": "\\ud800"}',
    "lone surrogate name": b'{"\\udfff": "a"}',
    "utf-16": '{"prompt": "a"}'.encode("utf-16"),
    "byte order mark": b'\xef\xbb\xbf{"prompt": "a"}',
    "nul": b'{"prompt": "a\\u0000b"}',
    "raw nul": b'{"prompt": "a\0b"}',
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_bad_body_is_refused(client: FlaskClient, body: bytes) -> None:
    response = client.post(JOBS, data=body, content_type="application/json")
    assert response.status_code == 400, response.text[:500]
    assert response.json["error"]["code"] == "invalid_request"
    assert response.json["error"]["message"]


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", None],
)
def test_json_under_another_name_is_refused(client: FlaskClient, content_type: str | None) -> None:
    response = client.post(JOBS, data=b'{"prompt": "a"}', content_type=content_type)
    assert response.status_code == 415
    assert response.json["error"]["code"] == "unsupported_media_type"


def test_too_large_a_body_is_not_read(client: FlaskClient) -> None:
    body = json.dumps({"prompt": "x" * 2_000_001})
    response = client.post(JOBS, data=body, content_type="application/json")
    assert response.status_code == 413
    assert response.json["error"]["code"] == "body_too_large"


@pytest.mark.parametrize("escaped", ["\\/", "\\u002B", "\\u002b", "+"])
def test_a_picture_may_be_escaped_as_its_client_likes(client: FlaskClient, escaped: str) -> None:
    picture = "data:image\\/png;base64," + ("A" * 63 + escaped) * 40_000
    body = f'{{"prompt": "a", "steps": 1, "image": "{picture}"}}'
    response = client.post(JOBS, data=body, content_type="application/json")
    assert (response.status_code, response.json["error"]["field"]) == (400, "steps"), "was read"
    body = f'{{"prompt": "{picture.removeprefix("data:")}"}}'
    response = client.post(JOBS, data=body, content_type="application/json")
    assert response.status_code == 413


def test_nothing_was_made_of_them(client: FlaskClient) -> None:
    client.post(JOBS, data=b"[" * 1000, content_type="application/json")
    assert client.get(JOBS).json["jobs"] == []


ADDRESSES = [
    "/api/v1/jobs/%00",
    "/api/v1/jobs/..%2f..",
    "/api/v1/jobs/" + "a" * 5000,
    "/api/v1/jobs/%F0%28%8C%28",
    "/jobs/%00",
    "/?from=%00",
    "/files/%00",
    "/files/..%2f..%2fetc%2fpasswd",
    "/files/" + "a" * 5000,
    "/static/%00",
    "/static/..%2fapp.py",
]


@pytest.mark.parametrize("address", ADDRESSES, ids=range(len(ADDRESSES)))
def test_odd_addresses_lead_nowhere(client: FlaskClient, address: str) -> None:
    assert client.get(address).status_code in (403, 404)


QUERIES = ["limit=0", "limit=101", "limit=x", "status=done", "cursor=AAAA", "page=2", "model=%00"]


@pytest.mark.parametrize("query", QUERIES)
def test_bad_query_is_named(client: FlaskClient, query: str) -> None:
    response = client.get(f"{JOBS}?{query}")
    assert response.status_code == 400
    assert response.json["error"]["field"] == query.partition("=")[0]


def test_odd_text_never_reaches_postgres(open_app: OpenApp, postgres_url: str) -> None:
    upgrade(postgres_url)
    postgres = open_app(database_url=postgres_url).test_client()
    for address in ("/api/v1/jobs/%00", "/?from=%00", "/api/v1/jobs?model=%00"):
        assert 400 <= postgres.get(address).status_code < 500
    for fields in ({"prompt": "\0"}, {"model": "\0"}, {"metadata": {"\0": ""}}, {"webhook": "\0"}):
        response = postgres.post(JOBS, json={"prompt": "a circle", **fields})
        assert response.status_code == 400
    assert postgres.post(JOBS, json={"prompt": "🟥 \u202e ا"}).status_code == 201
