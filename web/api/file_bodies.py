"""What the OpenAPI document says of bodies that carry files."""

from typing import Any

from web.request import MULTIPART

_FILE = {"type": "string", "format": "binary"}


def tell_of_files(document: dict[Any, Any] | str) -> dict[Any, Any] | str:
    """Add the bodies that no model describes."""
    assert isinstance(document, dict)
    paths = document["paths"]
    paths["/api/v1/inputs"]["post"]["requestBody"] = {
        "required": True,
        "content": {MULTIPART: {"schema": _parts({"file": _FILE}, "file")}},
    }
    bodies = paths["/api/v1/jobs"]["post"]["requestBody"]["content"]
    params = bodies["application/json"]["schema"]
    pictures = {
        "image": _FILE,
        "mask": _FILE,
        "control_image": {"type": "array", "items": _FILE},
    }
    bodies[MULTIPART] = {"schema": _parts({"params": params, **pictures}, "params")}
    return document


def _parts(properties: dict[str, Any], required: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": [required],
        "additionalProperties": False,
    }
