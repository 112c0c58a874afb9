"""The OpenAPI document: valid, complete, and true under generated requests."""

import re

import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from openapi_spec_validator import validate

from tests.hostile.schema import try_out
from web.app import FrontEnd


@pytest.fixture(scope="module")
def client(module_app: FrontEnd) -> FlaskClient:
    return module_app.test_client()


@pytest.fixture(scope="module")
def document(client: FlaskClient) -> dict[str, object]:
    answer: dict[str, object] = client.get("/openapi.json").json
    return answer


def test_document_is_valid(document: dict[str, object]) -> None:
    validate(document)


def test_document_names_every_api_route(module_app: FrontEnd, document: dict[str, object]) -> None:
    doors = ("native.", "health.")
    rules = [rule for rule in module_app.url_map.iter_rules() if rule.endpoint.startswith(doors)]
    paths = {re.sub(r"<job:(\w+)>", r"{\1}", rule.rule) for rule in rules}
    assert set(document["paths"]) == paths


def test_document_tells_of_headers_and_errors(document: dict[str, object]) -> None:
    create = document["paths"]["/api/v1/jobs"]["post"]
    assert {each["name"] for each in create["parameters"]} == {"idempotency-key", "prefer"}
    assert {"201", "400", "401", "413", "415", "422", "503"} <= set(create["responses"])


def test_document_tells_where_callers_are_limited(document: dict[str, object]) -> None:
    for path, methods in document["paths"].items():
        for about in methods.values():
            assert ("429" in about["responses"]) == path.startswith("/api/v1/"), path


def test_generated_requests_are_answered_as_documented(module_app: FrontEnd) -> None:
    found = try_out(module_app, examples=12)
    assert {label: each.problem for label, each in found.items() if each.problem} == {}
    asked_often = [each for each in found.values() if each.statuses.total() > 1]
    assert len(asked_often) > 5


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@settings(max_examples=100, deadline=None, database=None, derandomize=True)
@given(body=st.binary(max_size=60) | JSON)
def test_arbitrary_bodies_are_4xx(client: FlaskClient, body: object) -> None:
    if isinstance(body, bytes):
        sent = {"data": body, "content_type": "application/json"}
    else:
        sent = {"json": {"prompt": "a", "metadata": body}}
    status = client.post("/api/v1/jobs", **sent).status_code
    assert 400 <= status < 500 or (status == 201 and isinstance(body, dict))
