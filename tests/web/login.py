"""What tests of keys and sessions share: sending a key, and logging in with it."""

import re

from flask.testing import FlaskClient


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def csrf(client: FlaskClient, path: str) -> str:
    match = re.search(r'name="csrf_token" value="([^"]+)"', client.get(path).text)
    assert match
    return match[1]


def log_in(client: FlaskClient, key: str, target: str = "/") -> int:
    form = {"csrf_token": csrf(client, "/login"), "key": key}
    return client.post("/login", query_string={"next": target}, data=form).status_code
