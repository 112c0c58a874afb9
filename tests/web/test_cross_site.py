"""What a browser is made to send by a page of elsewhere changes nothing."""

import io

import pytest
from flask.testing import FlaskClient

from tests.web.conftest import OpenApp
from tests.web.drawing import png


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "http://localhost:1"},
        {"Origin": "null"},
        {"Origin": "http://[::1"},
        {"Origin": "https://evil.example", "X-HTTP-Method-Override": "GET"},
    ],
)
def test_foreign_pages_cannot_use_an_open_farm(
    client: FlaskClient, headers: dict[str, str]
) -> None:
    form = {"file": (io.BytesIO(png()), "a.png")}
    for path, sent in (("jobs", {"json": {"prompt": "a"}}), ("inputs", {"data": form})):
        response = client.post(f"/api/v1/{path}", headers=headers, **sent)
        assert response.status_code == 403
        assert response.json["error"]["code"] == "forbidden"
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket"}
    # 405 where no web socket is offered; one is not opened either way.
    assert client.get("/api/v1/jobs", headers=headers | upgrade).status_code in (403, 405)
    assert client.post("/", data={"prompt": "a"}, headers=headers).status_code == 400  # no token
    assert client.get("/api/v1/jobs").json["jobs"] == []


def test_a_text_body_from_a_form_is_no_json(client: FlaskClient) -> None:
    response = client.post("/api/v1/jobs", data='{"prompt": "a"}', content_type="text/plain")
    assert response.status_code == 415


def test_the_farm_s_own_pages_and_programs_may(open_app: OpenApp) -> None:
    client = open_app(public_url="https://farm.example").test_client()
    for headers in (
        {},
        {"Origin": "http://localhost"},
        {"Origin": "https://farm.example"},
        {"Origin": "https://farm.example", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
    ):
        response = client.post("/api/v1/jobs", json={"prompt": "a"}, headers=headers)
        assert response.status_code == 201, headers
