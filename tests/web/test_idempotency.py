"""Idempotency keys over HTTP: many at once, clients that hang up, and what a replay answers."""

import socket
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from urllib.parse import urlsplit

import httpx
from werkzeug.test import TestResponse

from myriad.db.jobs import find_job, list_jobs
from myriad.db.keys import create_key
from myriad.farm import Farm
from tests.processes import wait_until
from tests.web.conftest import OpenApp, Site, farm_of
from tests.web.drawing import finish_job

KEYS, POSTS = 5, 20
ASKED = {"prompt": "a red circle", "metadata": {"note": "first"}, "cache": False}


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_many_posts_at_once_make_one_job_a_key(site: Site) -> None:
    start = Barrier(POSTS)

    def post(key: str) -> httpx.Response:
        start.wait()
        headers = {"Idempotency-Key": key}
        return httpx.post(
            f"{site.url}/api/v1/jobs", json=ASKED, headers=headers, timeout=60, trust_env=False
        )

    before = count_jobs(site.farm)
    with ThreadPoolExecutor(POSTS) as threads:
        for number in range(KEYS):
            answers = list(threads.map(post, [f"at once {number}"] * POSTS))
            assert {answer.status_code for answer in answers} == {201}
            assert len({answer.headers["Location"] for answer in answers}) == 1
            replays = Counter("Idempotent-Replayed" in answer.headers for answer in answers)
            assert replays == {False: 1, True: POSTS - 1}
    assert count_jobs(site.farm) == before + KEYS


def test_a_client_that_hangs_up_finds_its_job_again(site: Site) -> None:
    before, address = count_jobs(site.farm), urlsplit(site.url)
    body = b'{"prompt": "hung up"}'
    head = (
        f"POST /api/v1/jobs HTTP/1.1\r\nHost: {address.netloc}\r\nIdempotency-Key: gone\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    for _ in range(5):
        with socket.create_connection((address.hostname, address.port)) as wire:
            wire.sendall(head.encode() + body)
    wait_until(lambda: count_jobs(site.farm) > before)
    again = httpx.post(
        f"{site.url}/api/v1/jobs",
        content=body,
        headers={"Idempotency-Key": "gone", "Content-Type": "application/json"},
        trust_env=False,
    )
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (201, "true")
    assert count_jobs(site.farm) == before + 1


def test_a_replay_is_the_job_as_it_now_stands(open_app: OpenApp) -> None:
    app = open_app()
    client, farm = app.test_client(), farm_of(app)

    def post() -> TestResponse:
        return client.post("/api/v1/jobs", json=ASKED, headers={"Idempotency-Key": "k"})

    first = post()
    finish_job(farm, first.json["id"])
    replay = post()
    assert (replay.status_code, replay.location) == (first.status_code, first.location)
    assert (first.json["status"], replay.json["status"]) == ("queued", "succeeded")
    moving = {"status", "stage", "progress", "output", "metrics", "started_at", "completed_at"}
    fixed = set(first.json) - moving - {"queue_position"}
    assert {name: replay.json[name] for name in fixed} == {name: first.json[name] for name in fixed}
    assert {"id", "input", "metadata", "created_at", "urls", "cache"} < fixed


def test_a_replay_needs_nothing_that_has_gone_meanwhile(open_app: OpenApp, home: Path) -> None:
    asked = {"prompt": "a", "model": "english"}
    sent = {"json": asked, "headers": {"Idempotency-Key": "k"}}
    first = open_app().test_client().post("/api/v1/jobs", **sent)
    catalog = home / "smaller.toml"
    entries = (home / "catalog.toml").read_text().split("[[model]]")
    catalog.write_text("[[model]]".join(each for each in entries if '"english"' not in each))
    client = open_app(catalog=catalog).test_client()
    assert client.post("/api/v1/jobs", json=asked).status_code == 400
    assert client.post("/api/v1/jobs", **sent).json["id"] == first.json["id"]


def test_a_key_means_something_to_its_caller_alone(open_app: OpenApp) -> None:
    app = open_app()
    client, farm = app.test_client(), farm_of(app)
    made = [create_key(farm.db, name) for name in ("me", "them")]
    for (key_id, key), prompt in zip(made, "ab", strict=True):
        headers = bearer(key) | {"Idempotency-Key": "k"}
        answer = client.post("/api/v1/jobs", json={"prompt": prompt}, headers=headers)
        assert answer.status_code == 201
        assert "Idempotent-Replayed" not in answer.headers
        assert find_job(farm.db, answer.json["id"], scope=key_id)


def count_jobs(farm: Farm) -> int:
    return len(list_jobs(farm.db, scope=None, limit=1000).jobs)
