"""Keys: an open farm, a closed one, tenants who never see each other, and the login page."""

import re

import pytest
from flask.testing import FlaskClient

from myriad.db.keys import create_key, revoke_key
from myriad.farm import Farm
from tests.web.drawing import finish_job

PROTECTED = [
    ("GET", "/api/v1/jobs"),
    ("POST", "/api/v1/jobs"),
    ("GET", "/api/v1/jobs/" + "0" * 32),
    ("POST", f"/api/v1/jobs/{'0' * 32}/cancel"),
    ("GET", "/api/v1/models"),
    ("GET", "/api/v1/webhooks/default/secret"),
    ("GET", "/metrics"),
]


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def csrf(client: FlaskClient, path: str) -> str:
    match = re.search(r'name="csrf_token" value="([^"]+)"', client.get(path).text)
    assert match
    return match[1]


def log_in(client: FlaskClient, key: str, target: str = "/") -> int:
    form = {"csrf_token": csrf(client, "/login"), "key": key}
    return client.post("/login", query_string={"next": target}, data=form).status_code


@pytest.mark.parametrize(("method", "path"), PROTECTED)
def test_closed_farm_wants_a_key(client: FlaskClient, farm: Farm, method: str, path: str) -> None:
    create_key(farm.db, "someone")
    for headers in ({}, bearer("mk_wrong"), bearer(""), {"Authorization": "Basic eDp5"}):
        response = client.open(path, method=method, headers=headers, json={"prompt": "a"})
        assert response.status_code == 401
        assert response.json["error"]["code"] == "unauthorized"
        assert response.headers["WWW-Authenticate"] == "Bearer"


def test_health_needs_no_key(client: FlaskClient, farm: Farm) -> None:
    create_key(farm.db, "someone")
    assert client.get("/livez").status_code == 200
    assert client.get("/readyz").status_code == 503


def test_another_key_s_job_is_not_there(client: FlaskClient, farm: Farm) -> None:
    (_, mine), (_, other) = create_key(farm.db, "me"), create_key(farm.db, "them")
    job = client.post("/api/v1/jobs", headers=bearer(mine), json={"prompt": "a"}).json
    path = f"/api/v1/jobs/{job['id']}"
    assert client.get(path, headers=bearer(mine)).status_code == 200
    missing = client.get("/api/v1/jobs/" + "0" * 32, headers=bearer(other))
    for method, address in (("GET", path), ("POST", f"{path}/cancel")):
        response = client.open(address, method=method, headers=bearer(other))
        assert response.status_code == 404
        assert set(response.json["error"]) == set(missing.json["error"])
    assert client.get("/api/v1/jobs", headers=bearer(other)).json["jobs"] == []
    assert client.get(path, headers=bearer(mine)).json["status"] == "queued"


def test_results_are_not_shared_between_keys(client: FlaskClient, farm: Farm) -> None:
    (_, mine), (_, other) = create_key(farm.db, "me"), create_key(farm.db, "them")
    job = client.post("/api/v1/jobs", headers=bearer(mine), json={"prompt": "a"}).json
    finish_job(farm, job["id"])
    again = client.post("/api/v1/jobs", headers=bearer(other), json={"prompt": "a"}).json
    assert again["cache"] == "miss"


def test_revoked_key_opens_nothing(client: FlaskClient, farm: Farm) -> None:
    create_key(farm.db, "keeps the farm closed")
    key_id, key = create_key(farm.db, "leaving")
    assert client.get("/api/v1/jobs", headers=bearer(key)).status_code == 200
    assert log_in(client, key) == 303
    assert client.get("/gallery").status_code == 200
    revoke_key(farm.db, key_id)
    assert client.get("/api/v1/jobs", headers=bearer(key)).status_code == 401
    assert client.get("/gallery").status_code == 303


def test_pages_lead_to_the_login_and_back(client: FlaskClient, farm: Farm) -> None:
    _, key = create_key(farm.db, "me")
    away = client.get("/gallery")
    assert (away.status_code, away.location) == (303, "/login?next=/gallery?")
    assert log_in(client, "mk_wrong") == 401
    form = {"csrf_token": csrf(client, "/login"), "key": key}
    back = client.post("/login?next=/gallery", data=form)
    assert back.location == "/gallery"
    cookie = back.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert key not in cookie
    assert client.get("/gallery").status_code == 200


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "///evil.example", "/\\evil.example"]
)
def test_login_leads_nowhere_else(client: FlaskClient, farm: Farm, target: str) -> None:
    _, key = create_key(farm.db, "me")
    form = {"csrf_token": csrf(client, "/login"), "key": key}
    assert client.post("/login", query_string={"next": target}, data=form).location == "/"


def test_log_out(client: FlaskClient, farm: Farm) -> None:
    _, key = create_key(farm.db, "me")
    log_in(client, key)
    client.post("/logout", data={"csrf_token": csrf(client, "/")})
    assert client.get("/").status_code == 303


def test_session_opens_no_api_and_another_s_page_stays_shut(
    client: FlaskClient, farm: Farm
) -> None:
    (_, mine), (_, other) = create_key(farm.db, "me"), create_key(farm.db, "them")
    job = client.post("/api/v1/jobs", headers=bearer(other), json={"prompt": "a"}).json
    log_in(client, mine)
    assert client.get("/api/v1/jobs").status_code == 401
    assert client.get(f"/jobs/{job['id']}").status_code == 404
    assert client.get("/gallery").status_code == 200


def test_foreign_pages_cannot_use_an_open_farm(client: FlaskClient) -> None:
    for site in ("cross-site", "same-site"):
        headers = {"Sec-Fetch-Site": site}
        response = client.post("/api/v1/jobs", headers=headers, json={"prompt": "a"})
        assert response.status_code == 403
    assert client.post("/", data={"prompt": "a"}).status_code == 400  # no CSRF token
    assert client.get("/api/v1/jobs").json["jobs"] == []


def test_webhook_secret_stays_with_the_operator(client: FlaskClient, farm: Farm) -> None:
    _, key = create_key(farm.db, "me")
    response = client.get("/api/v1/webhooks/default/secret", headers=bearer(key))
    assert response.status_code == 403
    assert farm.webhook_secret not in response.text
