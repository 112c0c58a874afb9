"""What a request leaves behind: an id, and one line that names nobody's secrets."""

import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from tests.web.conftest import OpenApp
from web.app import FrontEnd

GIVEN = "X-Request-Id"


@pytest.fixture
def client(module_app: FrontEnd) -> FlaskClient:
    return module_app.test_client()


def ask(client: FlaskClient, path: str, method: str = "GET", **values: Any) -> dict[str, Any]:
    """The one line about a request."""
    with capture_logs(processors=[merge_contextvars]) as lines:
        client.open(path, method=method, **values)
    (line,) = [line for line in lines if line["event"] == "answered"]
    return dict(line)


def test_every_answer_has_an_id_of_its_own(client: FlaskClient) -> None:
    ids = {client.get(path).headers[GIVEN] for path in ("/livez", "/nowhere", "/api/v1/jobs")}
    assert len(ids) == 3
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in ids)


def test_a_sane_id_is_kept(client: FlaskClient) -> None:
    assert client.get("/livez", headers={GIVEN: "proxy-7:a.b/c"}).headers[GIVEN] == "proxy-7:a.b/c"


@pytest.mark.parametrize("odd", ["", " ", "a b", "x" * 65, "é", "-x", '"', "a;b", "\x1b[2K"])
def test_any_other_is_replaced(client: FlaskClient, odd: str) -> None:
    assert re.fullmatch("[0-9a-f]{32}", client.get("/livez", headers={GIVEN: odd}).headers[GIVEN])


def test_the_line_about_a_request(client: FlaskClient) -> None:
    line = ask(
        client, "/api/v1/jobs", "POST", json={"prompt": "a lighthouse"}, headers={GIVEN: "i"}
    )
    assert line.pop("seconds") >= 0
    assert re.fullmatch("[0-9a-f]{32}", line.pop("job"))
    assert line == {
        "event": "answered",
        "log_level": "info",
        "request": "i",
        "method": "POST",
        "route": "/api/v1/jobs",
        "status": 201,
        "key": None,
        "door": "native",
    }


def test_the_line_names_the_job_that_was_looked_at(client: FlaskClient) -> None:
    job = client.post("/api/v1/jobs", json={"prompt": "b"}).json["id"]
    line = ask(client, f"/api/v1/jobs/{job}")
    assert (line["job"], line["log_level"]) == (job, "debug")
    assert "job" not in ask(client, "/livez")


@pytest.mark.parametrize(
    ("path", "status", "route"),
    [
        ("/files/abc.def", 403, "/files/<token>"),
        ("/api/v1/jobs?cursor=secret", 400, "/api/v1/jobs"),
        ("/nowhere/%0d%0asecret", 404, "unmatched"),
    ],
)
def test_paths_are_never_told(client: FlaskClient, path: str, status: int, route: str) -> None:
    line = ask(client, path)
    assert (line["status"], line["route"], line["log_level"]) == (status, route, "info")
    assert "secret" not in str(line)
    assert "abc" not in str(line)


def test_an_answer_that_the_database_kept_us_from_has_its_line(open_app: OpenApp) -> None:
    client = open_app(database_url="postgresql+psycopg://nobody@127.0.0.1:1/none").test_client()
    assert ask(client, "/api/v1/jobs")["status"] == 503
