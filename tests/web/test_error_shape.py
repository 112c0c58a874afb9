"""Every route, asked wrongly in every way, answers with the one error body."""

from collections.abc import Iterable

import pytest
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from web.app import FrontEnd
from web.doors import DOORS

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "TRACE")
VALUES = {"job_id": "0" * 32, "token": "x.y", "filename": "none.css"}
PROBES = {
    "plain": {},
    "text": {"data": b"[", "content_type": "text/plain"},
    "cut json": {"data": b"{", "content_type": "application/json"},
    "odd types": {"json": {"prompt": [], "key": 1}},
    "form": {"data": {"prompt": "x"}},
    "query": {"query_string": {"cursor": "?", "limit": "-", "from": "?", "lang": "?"}},
}


@pytest.fixture(scope="module")
def client(module_app: FrontEnd) -> FlaskClient:
    return module_app.test_client()


def addresses(app: FrontEnd) -> list[tuple[str, Rule]]:
    adapter = app.url_map.bind("localhost")
    rules = app.url_map.iter_rules()
    return [
        (
            adapter.build(rule.endpoint, {name: VALUES.get(name, "1") for name in rule.arguments}),
            rule,
        )
        for rule in rules
    ]


def is_at_a_door(rule: Rule) -> bool:
    """Doors word errors as their own clients read them; their tests look at that."""
    return rule.endpoint.partition(".")[0] in {door.name for door in DOORS}


def methods_for(rule: Rule) -> Iterable[str]:
    """Doors have many routes, and a method that is not theirs never reaches them."""
    return set(METHODS) & (rule.methods or set()) if is_at_a_door(rule) else METHODS


@pytest.mark.parametrize("probe", PROBES.values(), ids=PROBES.keys())
def test_every_route_answers_errors_in_one_shape(
    module_app: FrontEnd, client: FlaskClient, probe: dict[str, object]
) -> None:
    for address, rule in addresses(module_app):
        for method in methods_for(rule):
            is_page = rule.endpoint.startswith("pages.")
            accept = {"Accept": "text/html" if is_page else "*/*"}
            response = client.open(address, method=method, headers=accept, **probe)
            if response.status_code < 400:
                continue
            if response.status_code >= 500:
                assert (response.status_code, rule.rule) == (503, "/readyz")
            if is_page:
                assert response.mimetype == "text/html"
                continue
            if is_at_a_door(rule):
                assert response.is_json or not response.data
                continue
            error = response.json["error"]
            assert set(error) <= {"code", "message", "field"}
            assert all(isinstance(value, str) and value for value in error.values())


def test_wrong_method_names_the_right_ones(module_app: FrontEnd, client: FlaskClient) -> None:
    response = client.delete("/api/v1/jobs")
    assert response.status_code == 405
    assert response.json["error"]["code"] == "method_not_allowed"
    assert {"GET", "POST"} <= set(response.headers["Allow"].split(", "))


def test_unknown_address_is_told_in_the_visitor_s_terms(client: FlaskClient) -> None:
    assert client.get("/nope").json["error"]["code"] == "not_found"
    page = client.get("/nope", headers={"Accept": "text/html,*/*;q=0.8"})
    assert (page.status_code, page.mimetype) == (404, "text/html")
    api = client.get("/api/v1/nope", headers={"Accept": "text/html"})
    assert api.json["error"]["code"] == "not_found"


def test_unexpected_exception_tells_nothing_of_itself(open_broken: FlaskClient) -> None:
    response = open_broken.get("/broken")
    assert response.status_code == 500
    assert response.json == {
        "error": {"code": "internal", "message": "something went wrong on our side"}
    }


@pytest.fixture
def open_broken(app: FrontEnd) -> FlaskClient:
    @app.get("/broken")
    def broken() -> str:
        raise RuntimeError("secret detail")

    return app.test_client()
