"""Schemathesis over the OpenAPI document: generated requests, and answers held to the document."""

import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flask import Flask
from hypothesis import HealthCheck, Phase, given, seed, settings

from myriad.settings import Settings
from tests.hostile.tally import ALONE
from web import create_app
from web.farm import close_farm

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its own imports' deprecations, not ours
    import schemathesis
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@dataclass
class Found:
    """Of one operation: how often each status came, and what is not as the document has it."""

    statuses: Counter[int] = field(default_factory=Counter)
    problem: str = ""


def try_out(app: Flask, examples: int, seed_of: int = 1) -> dict[str, Found]:
    """So many requests to each operation of the document, by method and path."""
    document = app.test_client().get("/openapi.json").json
    schema = schemathesis.openapi.from_dict(document)
    schema.app = app
    operations = [found.ok() for found in schema.get_all_operations()]
    return {each.label: _try_out(each, examples, seed_of) for each in operations}


def _try_out(operation: Any, examples: int, seed_of: int) -> Found:
    found = Found()
    checks = [each for each in CHECKS if operation.path != ALONE or each is not not_a_server_error]

    @seed(seed_of)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def run(case: schemathesis.Case) -> None:
        response = case.call()
        found.statuses[response.status_code] += 1
        case.validate_response(response, checks=checks)

    try:
        run()
    except Exception as error:  # checks raise groups of many kinds
        found.problem = f"{type(error).__name__}: {error}"
    return found


def examine(at: Settings, examples: int, seed_of: int, say: Callable[[str], None]) -> bool:
    """Whether every answer was as the document has it; says how many there were of each."""
    app = create_app(at)
    try:
        result = try_out(app, examples, seed_of)
    finally:
        close_farm(app)
    for label, found in result.items():
        say(f"{label}: {found.statuses.total()} requests, {dict(sorted(found.statuses.items()))}")
        if found.problem:
            say(found.problem)
    return not any(found.problem for found in result.values())
