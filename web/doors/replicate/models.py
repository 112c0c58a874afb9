"""Models and their versions, as far as Replicate's clients look at them; and who one is."""

from typing import Any

from flask import Response, jsonify

from myriad import __version__
from myriad.errors import NotFound
from myriad.key import Scope
from myriad.model import Model
from myriad.prediction import OWNER, version_of
from web.auth import current_caller, needs
from web.doors.replicate.door import replicate
from web.doors.replicate.input import PredictionInput
from web.doors.replicate.name import find_model
from web.farm import current_farm
from web.links import base_url

# Versions are told apart by weights, which have no date.
_CREATED_AT = "2026-01-01T00:00:00Z"


@replicate.get("/v1/models/<owner>/<name>")
def get_model(owner: str, name: str) -> Response:
    """Look at a model."""
    model = find_model(owner, name)
    return jsonify(
        url=f"{base_url()}/?model={model.name}",
        owner=OWNER,
        name=model.name,
        description=model.description,
        visibility="private",
        github_url=None,
        paper_url=None,
        license_url=None,
        run_count=0,
        cover_image_url=None,
        default_example=None,
        latest_version=_version(model),
    )


@replicate.get("/v1/models/<owner>/<name>/versions")
def get_versions(owner: str, name: str) -> Response:
    """List the one version there is."""
    return jsonify(previous=None, next=None, results=[_version(find_model(owner, name))])


@replicate.get("/v1/models/<owner>/<name>/versions/<version>")
def get_version(owner: str, name: str, version: str) -> Response:
    """Look at a version."""
    model = find_model(owner, name)
    if version != version_of(model):
        raise NotFound("no such version of this model")
    return jsonify(_version(model))


@replicate.get("/v1/account")
def get_account() -> Response:
    """Say whose the API key is."""
    key = current_caller().key
    name = key.name if key else "anyone"
    return jsonify(type="user", username=name, name=name, github_url=None)


@replicate.get("/v1/webhooks/default/secret")
@needs(Scope.ADMIN)
def get_webhook_secret() -> Response:
    """Show what webhooks are signed with: one secret for all, so not to everybody."""
    return jsonify(key=current_farm().webhook_secret)


def _version(model: Model) -> dict[str, Any]:
    return {
        "id": version_of(model),
        "created_at": _CREATED_AT,
        "cog_version": f"myriad-{__version__}",
        "openapi_schema": _openapi_schema(model),
    }


def _openapi_schema(model: Model) -> dict[str, Any]:
    """What their clients and forms read of a version: its input, and that it makes a list."""
    fields = PredictionInput.model_json_schema(ref_template="#/components/schemas/{model}")
    parts = fields.pop("$defs", {})
    for place, (name, field) in enumerate(fields["properties"].items()):
        field["x-order"] = place
        if (default := getattr(model.defaults, name, None)) is not None:
            field["default"] = default
    output = {"type": "array", "items": {"type": "string", "format": "uri"}, "title": "Output"}
    return {
        "openapi": "3.0.2",
        "info": {"title": model.title, "version": __version__},
        "paths": {},
        "components": {"schemas": parts | {"Input": fields, "Output": output}},
    }
