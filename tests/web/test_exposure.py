"""A farm without a key is this machine's alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from myriad.db.database import Database
from myriad.db.keys import create_key, revoke_key
from myriad.errors import ConfigError
from myriad.exposure import check_exposure
from myriad.settings import Settings
from tests.web.conftest import OpenApp


@pytest.fixture
def db(home: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{home / 'myriad.db'}")
    yield database
    database.close()


@pytest.mark.parametrize(
    "values",
    [
        *({"host": host} for host in ("0.0.0.0", "::", "", "192.168.0.7", "farm.example")),
        *({"host": host} for host in ("127.0.0.1.example", "localhost.example", "::ffff:10.0.0.1")),
        {"public_url": "https://farm.example"},
        {"public_url": "http://10.0.0.7:8600"},
        {"public_url": "http://[::1"},
    ],
)
def test_a_farm_that_others_reach_wants_a_key(db: Database, values: dict[str, str]) -> None:
    settings = Settings(**values)
    with pytest.raises(ConfigError, match="myriad keys create"):
        check_exposure(settings, db)
    key_id, _ = create_key(db, "me")
    check_exposure(settings, db)
    revoke_key(db, key_id)
    check_exposure(settings, db)


@pytest.mark.parametrize(
    "values",
    [
        *({"host": host} for host in ("127.0.0.1", "127.8.8.8", "::1", "localhost")),
        {"public_url": "http://localhost:8600"},
        {"public_url": "http://[::1]:8600/"},
    ],
)
def test_on_this_machine_none_is_needed(db: Database, values: dict[str, str]) -> None:
    check_exposure(Settings(**values), db)


def test_revoked_keys_let_nobody_in(client: FlaskClient, db: Database) -> None:
    assert client.get("/api/v1/jobs").status_code == 200
    key_id, key = create_key(db, "me")
    revoke_key(db, key_id)
    for headers in ({}, {"Authorization": f"Bearer {key}"}):
        assert client.get("/api/v1/jobs", headers=headers).status_code == 401
    assert client.get("/").status_code == 303


@pytest.mark.parametrize("path", ["/api/v1/jobs", "/", "/metrics"])
def test_a_name_of_others_does_not_lead_to_an_open_farm(
    client: FlaskClient, db: Database, path: str
) -> None:
    for host in ("evil.example:8600", "localhost.evil.example", "127.0.0.1.evil.example"):
        refused = client.get(path, headers={"Host": host, "Sec-Fetch-Site": "same-origin"})
        assert refused.status_code == 403, host
    for host in (
        "localhost:8600",
        "127.0.0.1:8600",
        "[::1]:8600",
        "farm:81",
        "host.docker.internal",
    ):
        assert client.get(path, headers={"Host": host}).status_code == 200
    _, key = create_key(db, "me", scopes=["admin"])
    headers = {"Host": "farm.example", "Authorization": f"Bearer {key}"}
    assert client.get(path, headers=headers).status_code in (200, 303)


def test_an_operator_may_open_it_or_give_it_a_name(open_app: OpenApp) -> None:
    named = open_app(public_url="https://farm.example").test_client()
    assert named.get("/", headers={"Host": "farm.example"}).status_code == 200
    assert named.get("/", headers={"Host": "other.example"}).status_code == 403
    reachable = open_app(host="192.168.0.7").test_client()
    assert reachable.get("/", headers={"Host": "farm.lan"}).status_code == 200
