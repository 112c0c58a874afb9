"""The OpenAPI document: valid, complete, and true under generated requests."""

import warnings

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from openapi_spec_validator import validate

from web.app import FrontEnd

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its own imports' deprecations, not ours
    import schemathesis


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
    paths = {rule.rule.replace("<job:job_id>", "{job_id}") for rule in rules}
    assert set(document["paths"]) == paths


def test_document_tells_of_headers_and_errors(document: dict[str, object]) -> None:
    create = document["paths"]["/api/v1/jobs"]["post"]
    assert {each["name"] for each in create["parameters"]} == {"idempotency-key", "prefer"}
    assert {"201", "400", "401", "413", "415", "422", "503"} <= set(create["responses"])


def test_generated_requests_never_break_the_server(
    module_app: FrontEnd, document: dict[str, object]
) -> None:
    schema = schemathesis.openapi.from_dict(document)
    schema.app = module_app
    for operation in schema.get_all_operations():
        _try_out(operation.ok())


def _try_out(operation: schemathesis.APIOperation) -> None:
    @settings(
        max_examples=15,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def run(case: schemathesis.Case) -> None:
        response = case.call()
        assert response.status_code < 500 or operation.path == "/readyz"

    run()


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
