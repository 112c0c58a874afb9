"""Thousands of malformed requests: an error, never a breakdown, a hang or a leak."""

from itertools import islice
from random import Random

import pytest

from tests.hostile.generate import Route, hostile, routes_of, valid
from tests.hostile.inside import ask_inside
from tests.hostile.place import Place
from tests.hostile.sample import Known, has_sample
from tests.hostile.tally import Tally
from tests.hostile.wire import ask_over, misframed
from web.app import FrontEnd

SEED = 1
INSIDE, OVER_SOCKETS = 1300, 250

# Routes that change something and read no body, or whose body changes nothing.
BODILESS = (
    "/cancel",
    "/delete",
    "/logout",
    "/remix",
    "/retry",
    "/sdapi/<path:rest>",
    "/sdapi/v1/extra-",
    "/sdapi/v1/interrogate",
    "/sdapi/v1/interrupt",
    "/sdapi/v1/re",
    "/sdapi/v1/skip",
    "/sdapi/v1/unload-checkpoint",
)
HELD = (504, 409)
"""Doors that answer with the picture: there is no worker to draw it."""


def _changing(app: FrontEnd) -> list[Route]:
    return [route for route in routes_of(app.url_map) if route[0] in ("POST", "PUT", "PATCH")]


def _reads_a_body(route: Route) -> bool:
    return not any(part in route[1] for part in BODILESS)


def test_every_route_with_a_body_has_a_valid_one_to_spoil(app: FrontEnd) -> None:
    missing = [route for route in _changing(app) if _reads_a_body(route) and not has_sample(*route)]
    assert missing == []  # add it to tests/hostile/sample.py


def test_what_is_spoiled_would_have_been_taken(app: FrontEnd, known: Known) -> None:
    refused = {}
    for route in _changing(app):
        if not _reads_a_body(route) or route[1] in ("/", "/login"):  # these want a token
            continue
        answer = ask_inside(app, valid(route, known))
        if answer.status not in (200, 201, *HELD):
            refused[route] = answer
    assert refused == {}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_malformed_requests_to_the_app(app: FrontEnd, known: Known) -> None:
    tally = Tally()
    requests = hostile(routes_of(app.url_map), known, Random(SEED))
    for asked in islice(requests, INSIDE):
        tally.note(asked, ask_inside(app, asked))
    assert tally.failures == [], tally.report()
    assert len(tally.statuses) > 8  # they reach more than the first check


def test_malformed_requests_over_sockets(app: FrontEnd, known: Known, place: Place) -> None:
    tally, rng = Tally(), Random(SEED)
    requests = hostile(routes_of(app.url_map), known, rng)
    for asked in islice(requests, OVER_SOCKETS):
        framed = misframed(asked, rng)
        tally.note(framed, ask_over(place.url, framed))
    assert tally.failures == [], tally.report()
    assert place.process.poll() is None
