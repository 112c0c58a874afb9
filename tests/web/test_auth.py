"""Keys: an open farm, a closed one, what each key may, and the login page."""

import base64
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from myriad.db.keys import create_key, get_key, revoke_key
from myriad.farm import Farm
from tests.web.conftest import OpenApp, farm_of
from tests.web.drawing import finish_job
from tests.web.login import bearer, csrf, log_in

PROTECTED = [
    ("GET", "/api/v1/jobs"),
    ("POST", "/api/v1/jobs"),
    ("GET", "/api/v1/jobs/" + "0" * 32),
    ("POST", f"/api/v1/jobs/{'0' * 32}/cancel"),
    ("GET", "/api/v1/models"),
    ("GET", "/api/v1/webhooks/default/secret"),
    ("GET", "/metrics"),
]


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


def test_results_are_not_shared_between_keys(client: FlaskClient, farm: Farm) -> None:
    (_, mine), (_, other) = create_key(farm.db, "me"), create_key(farm.db, "them")
    asked = {"prompt": "a", "metadata": {"note": "mine"}}
    job = client.post("/api/v1/jobs", headers=bearer(mine), json=asked).json
    both = [client.post("/api/v1/jobs", headers=bearer(other), json={"prompt": "a"}).json]
    finish_job(farm, job["id"])
    both.append(client.post("/api/v1/jobs", headers=bearer(other), json={"prompt": "a"}).json)
    assert [again["cache"] for again in both] == ["miss", "joined"]
    for again in both:
        assert (again["status"], again["output"], again["started_at"]) == ("queued", None, None)
        assert again["input"]["seed"] != job["input"]["seed"]
        assert again["metadata"] == {}
        assert set(again["metrics"].values()) == {None}


def test_shared_results_tell_nothing_of_whose_they_were(open_app: OpenApp) -> None:
    app = open_app(shared_cache=True)
    client, farm = app.test_client(), farm_of(app)
    (_, mine), (_, other) = create_key(farm.db, "me"), create_key(farm.db, "them")
    asked = {"prompt": "a", "metadata": {"note": "mine"}}
    job = client.post("/api/v1/jobs", headers=bearer(mine), json=asked).json
    finish_job(farm, job["id"])
    answer = client.post("/api/v1/jobs", headers=bearer(other), json={"prompt": "a"})
    assert (answer.json["cache"], answer.json["status"]) == ("hit", "succeeded")
    assert answer.json["created_at"] > job["created_at"]
    assert not [word for word in (job["id"], "mine", job["created_at"]) if word in answer.text]


def test_revoked_key_opens_nothing(client: FlaskClient, farm: Farm) -> None:
    create_key(farm.db, "keeps the farm closed")
    key_id, key = create_key(farm.db, "leaving")
    assert client.get("/api/v1/jobs", headers=bearer(key)).status_code == 200
    assert log_in(client, key) == 303
    assert client.get("/gallery").status_code == 200
    revoke_key(farm.db, key_id)
    assert client.get("/api/v1/jobs", headers=bearer(key)).status_code == 401
    assert client.get("/gallery").status_code == 303


def test_a_key_opens_what_its_scopes_say(client: FlaskClient, farm: Farm) -> None:
    _, key = create_key(farm.db, "me", scopes=["write"])
    made = client.post("/api/v1/jobs", headers=bearer(key), json={"prompt": "a"})
    assert made.status_code == 201
    for path, scope in (("/api/v1/jobs", "read"), ("/metrics", "metrics")):
        refused = client.get(path, headers=bearer(key))
        assert refused.status_code == 403
        assert refused.json["error"] == {
            "code": "forbidden",
            "message": f"this API key lacks the scope {scope}",
        }
    assert log_in(client, key) == 303
    assert client.get("/").status_code == 403
    assert client.post("/logout", data={"csrf_token": csrf(client, "/login")}).status_code == 303


def test_webhook_secret_stays_with_the_operator(client: FlaskClient, farm: Farm) -> None:
    path = "/api/v1/webhooks/default/secret"
    _, key = create_key(farm.db, "me")
    response = client.get(path, headers=bearer(key))
    assert response.status_code == 403
    assert farm.webhook_secret not in response.text
    _, key = create_key(farm.db, "operator", scopes=["admin"])
    assert client.get(path, headers=bearer(key)).json == {"key": farm.webhook_secret}


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "write",
    [
        "Bearer {}".format,
        "bearer   {}  ".format,
        "Token {}".format,
        lambda key: basic(f"any:{key}"),
        lambda key: basic(f":{key}"),
    ],
)
def test_a_key_may_be_sent_in_several_ways(
    client: FlaskClient, farm: Farm, write: Callable[[str], str]
) -> None:
    _, key = create_key(farm.db, "me")
    headers = {"Authorization": write(key)}
    assert client.get("/api/v1/jobs", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        "",
        " ",
        "Bearer",
        "Bearer ",
        "Bearer\t{key}",
        "Bearer {key},Bearer {key}",
        "Bearer {key} {key}",
        "Bearer mk_",
        "Bearer \xff\xfe",
        "Bearer \u20ac",
        "Bearer " + "x" * 100_000,
        "Bearer ' OR 1=1 --",
        "Bearer %00",
        "Digest {key}",
        "{key}",
        "Basic",
        "Basic ",
        "Basic Og==",
        "Basic !!!",
        "Basic {key}",
        "Basic /////w==",
        "Basic " + "A" * 100_001,
    ],
)
def test_odd_headers_are_no_key(client: FlaskClient, farm: Farm, header: str) -> None:
    _, key = create_key(farm.db, "me")
    raw = header.format(key=key).encode().decode("latin-1")
    response = client.get("/api/v1/jobs", environ_overrides={"HTTP_AUTHORIZATION": raw})
    assert response.status_code == 401
    assert response.json["error"]["code"] == "unauthorized"
    assert key not in response.text


def test_use_is_noted_after_the_answer(client: FlaskClient, farm: Farm) -> None:
    (one, mine), (two, other) = create_key(farm.db, "me"), create_key(farm.db, "them")
    with client.get("/api/v1/jobs", headers=bearer(mine)):
        assert get_key(farm.db, one).last_used_at is None
    first = get_key(farm.db, one).last_used_at
    assert first is not None
    client.get("/api/v1/jobs", headers=bearer(mine)).close()
    assert get_key(farm.db, one).last_used_at == first
    assert get_key(farm.db, two).last_used_at is None
    form = {"csrf_token": csrf(client, "/login"), "key": other}
    client.post("/login", data=form).close()
    assert get_key(farm.db, two).last_used_at is not None
