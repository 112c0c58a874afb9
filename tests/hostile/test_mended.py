"""What once broke a route: kept, one by one."""

import pytest
from flask.testing import FlaskClient

from tests.doors.comfyui_graphs import text_to_image
from tests.hostile.asked import Asked
from tests.hostile.inside import ask_inside
from tests.hostile.place import Place
from tests.hostile.wire import ask_over
from web.app import FrontEnd

HOST = (b"Host", b"127.0.0.1")
MULTIPART = (b"Content-Type", b"multipart/form-data; boundary=b")
NAMELESS = b"--b\r\nContent-Disposition: form-data; x=y\r\n\r\nz\r\n--b--\r\n"
BASIC = (b"Authorization", b"Basic /w==,\xff")


@pytest.fixture(scope="module")
def client(app: FrontEnd) -> FlaskClient:
    return app.test_client()


@pytest.mark.parametrize("path", [b"/gallery", b"/api/v1/jobs", b"/history", b"/nothing"])
def test_raw_bytes_in_a_query(app: FrontEnd, path: bytes) -> None:
    assert ask_inside(app, Asked("", b"GET", path + b"?a=\xff", (HOST,), b"")).status < 500


@pytest.mark.parametrize("path", [b"/v1/models", b"/api/v1/jobs", b"/sdapi/v1/options"])
def test_a_password_that_is_no_base64(app: FrontEnd, path: bytes) -> None:
    assert ask_inside(app, Asked("", b"GET", path, (HOST, BASIC), b"")).status == 200  # open farm


@pytest.mark.parametrize("path", [b"/", b"/login", b"/v1/images/edits", b"/api/v1/inputs"])
def test_a_part_without_a_name(app: FrontEnd, path: bytes) -> None:
    size = (b"Content-Length", b"%d" % len(NAMELESS))
    answer = ask_inside(app, Asked("", b"POST", path, (HOST, MULTIPART, size), NAMELESS))
    assert answer.status == 400


@pytest.mark.parametrize("deep", ["[" * 50_000, '{"a":' * 50_000])
def test_json_within_a_field(client: FlaskClient, deep: str) -> None:
    asked = {"prompt": "a", "model": "tiny", "loras": deep}
    answer = client.post("/v1/images/generations", json=asked)
    assert (answer.status_code, answer.json["error"]["param"]) == (400, "loras")


@pytest.mark.parametrize("name", ["denoise", "cfg"])
def test_not_a_number_within_all_limits(client: FlaskClient, name: str) -> None:
    graph = text_to_image("a circle", **{name: "nan"})
    graph["4"]["inputs"]["ckpt_name"] = "tiny"
    assert client.post("/prompt", json={"prompt": graph}).status_code == 400


@pytest.mark.parametrize("chunks", [b"zz\r\n{}\r\n0\r\n\r\n", b"-1\r\n{}\r\n", b"5\r\n{}", b"\r\n"])
def test_chunks_that_are_none(place: Place, chunks: bytes) -> None:
    for path in (b"/api/v1/jobs", b"/prompt", b"/v1/predictions", b"/login"):
        headers = (HOST, (b"Content-Type", b"application/json"), (b"Transfer-Encoding", b"chunked"))
        answer = ask_over(place.url, Asked("", b"POST", path, headers, b"", chunks))
        assert answer.status is not None
        assert 400 <= answer.status < 500, answer.body
