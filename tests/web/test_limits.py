"""How often and how much a caller may ask, through every door, with and without Redis."""

from itertools import count
from typing import Any

import pytest
from flask.testing import FlaskClient

from myriad.db.keys import create_key
from tests.web.conftest import OpenApp, farm_of
from tests.web.login import bearer
from tests.web.server import free_port
from tests.web.test_jobs import JOBS
from web.meter import refusal_counts

_numbers = count()


def statuses(client: FlaskClient, many: int, **options: Any) -> list[int]:
    """How that many creates are answered, each of a picture of its own."""
    return [
        client.post(JOBS, json={"prompt": f"{next(_numbers)}"}, **options).status_code
        for _ in range(many)
    ]


def test_creates_and_reads_are_counted_apart(open_app: OpenApp) -> None:
    app = open_app(rate_creates="2/day", rate_reads="3/day")
    client = app.test_client()
    assert statuses(client, 3) == [201, 201, 429]
    assert [client.get(JOBS).status_code for _ in range(4)] == [200, 200, 200, 429]
    answer = client.get(JOBS)
    assert answer.json["error"]["code"] == "rate_limited"
    assert 0 < int(answer.headers["Retry-After"]) <= 24 * 3600
    assert client.get("/livez").status_code == 200
    assert refusal_counts(farm_of(app).redis) == {"rate_limited": 3}
    figures = client.get("/metrics").text
    assert 'myriad_refused_total{code="rate_limited"} 3.0' in figures
    assert 'myriad_usage_jobs{key=""} 2.0' in figures


def test_all_web_processes_count_together(open_app: OpenApp) -> None:
    first, second = (open_app(rate_creates="2/day").test_client() for _ in range(2))
    assert statuses(first, 1) + statuses(second, 2) == [201, 201, 429]


def test_a_key_is_one_caller_and_has_limits_of_its_own(open_app: OpenApp) -> None:
    app = open_app(rate_creates="2/day")
    farm, client = farm_of(app), app.test_client()
    keys = [
        create_key(farm.db, "plain")[1],
        create_key(farm.db, "more", limits={"rate_per_minute": 0})[1],
        create_key(farm.db, "less", limits={"max_queued": 1})[1],
        create_key(farm.db, "poor", limits={"megapixel_steps_per_day": 0.02})[1],
    ]
    plain, more, less, poor = ({"Authorization": f"Bearer {key}"} for key in keys)
    assert statuses(client, 3, headers=plain) == [201, 201, 429]
    assert statuses(client, 4, headers=more) == [201] * 4
    assert statuses(client, 2, headers=less) == [201, 429]
    answer = client.post(JOBS, json={"prompt": "once"}, headers=poor)
    assert answer.status_code == 201
    answer = client.post(JOBS, json={"prompt": "twice"}, headers=poor)
    assert answer.status_code == 429
    assert answer.json["error"]["code"] == "quota_exceeded"
    assert 0 < int(answer.headers["Retry-After"]) <= 24 * 3600


def test_only_some_may_go_before_everybody_else(open_app: OpenApp) -> None:
    app = open_app()
    client, db = app.test_client(), farm_of(app).db
    plain, urgent, admin = (
        bearer(create_key(db, "me", scopes=scopes)[1])
        for scopes in (["read", "write"], ["read", "write", "priority"], ["admin"])
    )
    asked = {"prompt": "x", "priority": 1}
    refused = client.post(JOBS, json=asked, headers=plain)
    assert (refused.status_code, refused.json["error"]["code"]) == (403, "forbidden")
    assert refused.json["error"]["field"] == "priority"
    batch = {"template": {"prompt": "x"}, "grid": {"priority": [0, 1]}}
    refused = client.post("/api/v1/batches", json=batch, headers=plain)
    assert (refused.status_code, refused.json["error"]["field"]) == (403, "grid.priority.1")
    assert client.get(JOBS, headers=plain).json["jobs"] == []
    for priority, headers in ((0, plain), (-100, plain), (100, urgent), (100, admin)):
        answer = client.post(JOBS, json={**asked, "priority": priority}, headers=headers)
        assert (answer.status_code, answer.json["priority"]) == (201, priority)


def test_doors_refuse_in_their_own_words(open_app: OpenApp) -> None:
    client = open_app(rate_creates="1/day").test_client()
    assert statuses(client, 1) == [201]
    answer = client.post("/v1/images/generations", json={"prompt": "a red circle"})
    assert answer.status_code == 429
    assert answer.json["error"]["type"] != "invalid_request_error"
    assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.parametrize(("proxies", "expected"), [(0, [201, 429]), (1, [201, 201])])
def test_an_address_behind_a_proxy_counts_only_if_the_operator_says_so(
    open_app: OpenApp, proxies: int, expected: list[int]
) -> None:
    client = open_app(rate_creates="1/day", proxies=proxies).test_client()
    found = [
        statuses(client, 1, headers={"X-Forwarded-For": f"6.6.6.6, 203.0.113.{number}"})[0]
        for number in (1, 2)
    ]
    assert found == expected


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        (["2001:db8::1", "2001:db8::2:3"], [201, 429]),
        (["2001:db8::1", "2001:db8:0:1::1"], [201, 201]),
        (["::ffff:203.0.113.1", "::ffff:203.0.113.2"], [201, 201]),
    ],
)
def test_an_ipv6_caller_is_its_network(
    open_app: OpenApp, addresses: list[str], expected: list[int]
) -> None:
    client = open_app(rate_creates="1/day").test_client()
    found = [statuses(client, 1, environ_base={"REMOTE_ADDR": address})[0] for address in addresses]
    assert found == expected


def test_without_redis_each_process_counts_for_itself(open_app: OpenApp) -> None:
    nowhere = f"redis://127.0.0.1:{free_port()}/0"
    client = open_app(rate_creates="2/day", redis_url=nowhere).test_client()
    assert statuses(client, 3) == [201, 201, 429]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"num_inference_steps": 10**9}, "num_inference_steps"),
        ({"width": 65_536, "height": 65_536}, "width"),
        ({"num_images": 10**6}, "num_images"),
        ({"num_frames": 10**6, "model": "film"}, "num_frames"),
        ({"num_inference_steps": -1}, "num_inference_steps"),
        ({"guidance_scale": -0.5}, "guidance_scale"),
        ({"seed": 10**30}, "seed"),
        ({"prompt": "x" * 1_000_000}, "prompt"),
        ({"priority": 10**6}, "priority"),
    ],
)
def test_absurd_requests_are_refused_by_name(
    open_app: OpenApp, values: dict[str, object], field: str
) -> None:
    app = open_app()
    answer = app.test_client().post(JOBS, json={"prompt": "a red circle", **values})
    assert answer.status_code == 400
    assert answer.json["error"]["field"] == field
    assert app.test_client().get(JOBS).json["jobs"] == []


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_what_is_no_number_is_refused(open_app: OpenApp, number: str) -> None:
    body = f'{{"prompt": "a", "guidance_scale": {number}}}'
    answer = open_app().test_client().post(JOBS, data=body, content_type="application/json")
    assert answer.status_code == 400
