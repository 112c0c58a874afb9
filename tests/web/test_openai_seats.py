"""Who waits for a picture holds a thread: there are so many, and who leaves gives it back."""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import httpx
import pytest

from myriad.db.jobs import list_jobs
from tests.processes import wait_until
from tests.web.conftest import OpenApp, Site, farm_of
from tests.web.drawing import finish_job
from web.app import FrontEnd
from web.farm import waiting_room
from web.wait import Seat, seats_among

DRAW = "/v1/images/generations"
SEATS = seats_among(64)


@pytest.fixture
def narrow(open_app: OpenApp) -> FrontEnd:
    """A front end with one seat."""
    return open_app(web_threads=1)


@pytest.fixture
def sit(narrow: FrontEnd) -> Iterator[Callable[[], Seat]]:
    """Takes the only seat."""
    with ExitStack() as stack, narrow.app_context():
        yield lambda: stack.enter_context(waiting_room().take_seat(""))


def connect(url: str, prompt: str) -> socket.socket:
    """A client that has asked and waits."""
    place = urlsplit(url)
    body = json.dumps({"prompt": prompt}).encode()
    head = f"POST {DRAW} HTTP/1.1\r\nHost: {place.netloc}\r\nContent-Type: application/json\r\n"
    connection = socket.create_connection((place.hostname, place.port))
    connection.sendall(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    return connection


def jobs(app: FrontEnd) -> list[str]:
    return [job.id for job in list_jobs(farm_of(app).db, scope=None).jobs]


def test_without_a_seat_no_job_is_made(narrow: FrontEnd, sit: Callable[[], Seat]) -> None:
    sit()
    for stream in (False, True):
        answer = narrow.test_client().post(DRAW, json={"prompt": "x", "stream": stream})
        assert (answer.status_code, answer.json["error"]["code"]) == (503, "busy")
        assert answer.headers["X-Should-Retry"] == "true"
    assert jobs(narrow) == []


def test_a_call_that_found_no_seat_is_not_answered_by_an_earlier_one(
    narrow: FrontEnd, sit: Callable[[], Seat]
) -> None:
    client, body = narrow.test_client(), {"prompt": "x", "stream": True}

    def send(tries: int) -> int:
        headers = {"X-Stainless-Retry-Count": str(tries)}
        answer = client.post(DRAW, json=body, headers=headers)
        answer.close()
        return answer.status_code

    assert send(0) == 200
    finish_job(farm_of(narrow), jobs(narrow)[0])
    seat = sit()
    assert send(0) == 503
    seat.leave()
    assert send(1) == 200
    assert len(jobs(narrow)) == 2
    assert send(2) == 200
    assert len(jobs(narrow)) == 2


def test_a_stream_that_is_closed_leaves_its_seat(narrow: FrontEnd, sit: Callable[[], Seat]) -> None:
    answer = narrow.test_client().post(DRAW, json={"prompt": "x", "stream": True})
    assert next(iter(answer.response)).startswith(b": ")
    answer.close()
    sit()


def test_whoever_goes_away_makes_room_and_others_are_served_all_along(site: Site) -> None:
    with httpx.Client(base_url=site.url, trust_env=False, timeout=30) as http, ExitStack() as stack:
        waiting = [
            stack.enter_context(connect(site.url, f"wait {count}")) for count in range(SEATS)
        ]
        wait_until(lambda: len(list_jobs(site.farm.db, scope=None, limit=100).jobs) == SEATS)
        assert http.get("/livez").is_success
        refused = http.post(DRAW, json={"prompt": "one too many"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "busy")
        for connection in waiting:
            connection.close()
        wait_until(lambda: takes(http))


def takes(http: httpx.Client) -> bool:
    """Whether a stream is begun: it holds a seat until it is closed."""
    with http.stream("POST", DRAW, json={"prompt": "next", "stream": True}) as answer:
        return answer.is_success
