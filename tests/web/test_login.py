"""The login page, and how long a browser stays logged in."""

from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update

from myriad import clock
from myriad.db.keys import create_key, rotate_key
from myriad.db.tables import ApiKeyRow
from myriad.farm import Farm
from tests.web.conftest import OpenApp, farm_of
from tests.web.login import bearer, csrf, log_in


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
    "target",
    [
        "https://evil.example/",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "/\t/evil.example/x",
        "\t//evil.example",
        "/\r/evil.example",
        "/\nfoo",
        "/ /evil.example",
        "/\N{LINE SEPARATOR}/evil.example",
        "/\x00",
        "gallery",
    ],
    ids=repr,
)
def test_login_leads_nowhere_else(client: FlaskClient, farm: Farm, target: str) -> None:
    _, key = create_key(farm.db, "me")
    form = {"csrf_token": csrf(client, "/login"), "key": key}
    back = client.post("/login", query_string={"next": target}, data=form)
    assert (back.status_code, back.location) == (303, "/")


def test_login_leads_back_to_a_page_with_its_query(client: FlaskClient, farm: Farm) -> None:
    _, key = create_key(farm.db, "me")
    target = "/gallery?cursor=a%20b&model=%E5%9B%BE"
    away = client.get(target)
    form = {"csrf_token": csrf(client, "/login"), "key": key}
    assert client.post(away.location, data=form).location == target


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


def test_sessions_end_with_their_secret(client: FlaskClient, farm: Farm) -> None:
    key_id, key = create_key(farm.db, "me")
    log_in(client, key)
    rotate_key(farm.db, key_id, grace=timedelta(hours=1))
    assert client.get("/gallery").status_code == 200
    new = rotate_key(farm.db, key_id, grace=timedelta())
    assert client.get("/gallery").status_code == 303
    log_in(client, new)
    assert client.get("/gallery").status_code == 200
    with farm.db.write() as session:
        session.execute(update(ApiKeyRow).values(expires_at=clock.now()))
    assert client.get("/gallery").status_code == 303


def test_a_cookie_of_another_farm_opens_nothing(open_app: OpenApp) -> None:
    app = open_app()
    _, key = create_key(farm_of(app).db, "me")
    client = app.test_client()
    log_in(client, key)
    assert client.get("/gallery").status_code == 200
    app.config["SECRET_KEY"] = "another farm's"
    assert client.get("/gallery").status_code == 303
