"""A part that is away costs a 503 with Retry-After, never a 500."""

from flask.testing import FlaskClient

from tests.web.conftest import OpenApp
from web.app import FrontEnd

NOWHERE = "postgresql+psycopg://nobody@127.0.0.1:1/none"


def test_database_away(open_app: OpenApp) -> None:
    client = open_app(database_url=NOWHERE).test_client()
    for method, path in (("GET", "/api/v1/jobs"), ("POST", "/api/v1/jobs"), ("GET", "/metrics")):
        response = client.open(path, method=method, json={"prompt": "a"})
        assert response.status_code == 503
        assert response.json["error"]["code"] == "database_unavailable"
        assert int(response.headers["Retry-After"]) > 0
    page = client.get("/", headers={"Accept": "text/html"})
    assert (page.status_code, page.mimetype) == (503, "text/html")
    assert client.get("/livez").status_code == 200


def test_broker_away_does_not_keep_jobs_out(open_app: OpenApp) -> None:
    client = open_app(redis_url="redis://127.0.0.1:1/0").test_client()
    job = client.post("/api/v1/jobs", json={"prompt": "a"})
    assert job.status_code == 201
    assert client.get(job.headers["Location"]).status_code == 200
    assert client.post(f"{job.headers['Location']}/cancel").json["status"] == "canceled"


def test_readiness_names_what_is_missing(client: FlaskClient, open_app: OpenApp) -> None:
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json["error"]["code"] == "unavailable"
    assert response.json["checks"] == {
        "database": "ok",
        "migrations": "ok",
        "redis": "ok",
        "storage": "ok",
        "workers": "none live for encode, denoise, decode",
    }
    away = open_app(database_url=NOWHERE, redis_url="redis://127.0.0.1:1/0").test_client()
    checks = away.get("/readyz").json["checks"]
    assert [name for name, state in checks.items() if state == "ok"] == ["storage"]


def test_unmigrated_database_is_not_ready(open_app: OpenApp, postgres_url: str) -> None:
    app: FrontEnd = open_app(database_url=postgres_url)
    checks = app.test_client().get("/readyz").json["checks"]
    assert checks["database"] == "ok"
    assert "migrate" in checks["migrations"]
    assert checks["workers"] != "ok"
