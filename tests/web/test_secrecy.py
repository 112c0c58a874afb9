"""A key is nowhere but with its owner: not in SQL, files, logs, answers or the broker."""

import base64
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis import Redis
from sqlalchemy import text

from myriad.db.keys import create_key, rotate_key
from myriad.farm import open_farm
from myriad.settings import Settings
from tests.processes import wait_until
from tests.web.server import free_port, serve

PATHS = ["/api/v1/jobs", "/api/v1/nope", "/metrics", "/v1/models", "/files/x", "/", "/jobs/x"]
BODIES: list[dict[str, Any]] = [
    {"json": {"prompt": "a"}, "headers": {"Idempotency-Key": "k"}},
    {"json": {"prompt": "b", "webhook": "http://127.0.0.1/"}},
    {"content": "{"},
]


def in_base64(key: str) -> str:
    return base64.b64encode(f"me:{key}".encode()).decode()


def ask_everything(client: httpx.Client, keys: list[str]) -> Iterator[httpx.Response]:
    """Each key in every way it may be sent, rightly and not quite, and typed into the form."""
    for key in keys:
        for way in (f"Bearer {key}", f"Token {key}", f"Basic {in_base64(key)}", f"Bearer {key}x"):
            headers = {"Authorization": way}
            for path in PATHS:
                yield client.get(path, headers=headers)
            for body in BODIES:
                given = headers | body.get("headers", {})
                yield client.post("/api/v1/jobs", **body | {"headers": given})
        form = client.get("/login")
        yield form
        if token := re.search(r'name="csrf_token" value="([^"]+)"', form.text):
            yield client.post("/login", data={"csrf_token": token[1], "key": key})


def told(answer: httpx.Response) -> bytes:
    return repr(answer.headers.multi_items()).encode() + answer.content


def broker_contents(url: str) -> bytes:
    """Every value that Redis holds."""
    read: dict[bytes, Callable[[Redis, bytes], object]] = {
        b"string": Redis.get,
        b"list": lambda redis, name: redis.lrange(name, 0, -1),
        b"hash": Redis.hgetall,
        b"set": Redis.smembers,
        b"zset": lambda redis, name: redis.zrange(name, 0, -1),
    }
    with Redis.from_url(url) as redis:
        return repr(
            [(name, read[redis.type(name)](redis, name)) for name in redis.scan_iter()]
        ).encode()


def test_no_key_is_found_after_a_run(
    home: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = home / "logs"
    logs.mkdir()
    settings = Settings(
        home=home, catalog=home / "catalog.toml", redis_url=redis_url, port=free_port()
    )
    monkeypatch.setenv("MYRIAD_LOG_FORMAT", "json")
    monkeypatch.setenv("MYRIAD_LOG_LEVEL", "debug")
    farm = open_farm(settings)
    key_id, old = create_key(farm.db, "me", scopes=["admin"])
    keys = [old, rotate_key(farm.db, key_id, grace=timedelta(hours=1))]
    with serve(settings, logs) as url, httpx.Client(base_url=url, trust_env=False) as client:
        answers = list(ask_everything(client, keys))
        job_id = next(answer.json()["id"] for answer in answers if answer.status_code == 201)
        wait_until(lambda: job_id.encode() in broker_contents(redis_url), what="its message")
        with farm.db.write() as session:
            # So that requests fail where nobody foresaw it, and are logged with tracebacks.
            session.execute(text("UPDATE jobs SET params = 'no JSON'"))
        answers += list(ask_everything(client, keys))
    farm.close()
    assert {answer.status_code for answer in answers} >= {200, 201, 303, 400, 401, 404, 500}
    places = {str(path): path.read_bytes() for path in home.rglob("*") if path.is_file()}
    assert b"Traceback" in b"".join(data for name, data in places.items() if name.endswith(".log"))
    places |= {f"answer {number}": told(answer) for number, answer in enumerate(answers)}
    places |= {"broker": broker_contents(redis_url)}
    assert any(key_id.encode() in data for data in places.values())
    for key in keys:
        for form in (key.removeprefix("mk_"), in_base64(key)):
            assert not [place for place, data in places.items() if form.encode() in data]
