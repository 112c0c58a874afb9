"""The door itself, and how it words errors."""

from http import HTTPStatus
from typing import Any

from flask import Response, jsonify
from pydantic import ValidationError

from myriad.errors import MyriadError, NotFound, Unauthorized
from web.doors.door import Door
from web.errors import tell_when

_FIELDS = {
    "model": "sd_model_checkpoint",
    "num_inference_steps": "steps",
    "guidance_scale": "cfg_scale",
    "num_images": "batch_size",
    "image": "init_images",
    "strength": "denoising_strength",
    "scheduler": "sampler_name",
}
"""Our parameters as its clients know them."""


class WrongTypes(Exception):
    """A field is not of its type: the one thing that FastAPI answers by itself."""

    def __init__(self, error: ValidationError) -> None:
        super().__init__(str(error.error_count()))
        self.problems = error.errors(include_url=False, include_context=False, include_input=False)


def say(error: MyriadError) -> Response:
    """The error as AUTOMATIC1111 words its own: `{"error", "detail", "body", "errors"}`."""
    detail = f"{_FIELDS.get(error.field, error.field)}: " if error.field else ""
    detail += error.message
    body = {"error": "HTTPException", "detail": detail, "body": "", "errors": detail}
    response = _answer(error.status, body)
    if isinstance(error, Unauthorized):
        response.headers["WWW-Authenticate"] = 'Basic realm="Myriad"'
    tell_when(response, error)
    return response


def _wrong_types(error: WrongTypes) -> Response:
    """The value itself is not sent back."""
    detail = [{**problem, "loc": ["body", *problem["loc"]]} for problem in error.problems]
    return _answer(HTTPStatus.UNPROCESSABLE_ENTITY, {"detail": detail})


def _answer(status: int, body: dict[str, Any]) -> Response:
    response = jsonify(body)
    response.status_code = status
    return response


automatic1111 = Door("automatic1111", __name__, say=say, url_prefix="/sdapi")
automatic1111.register_error_handler(WrongTypes, _wrong_types)


@automatic1111.route("/<path:rest>", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
def unknown(rest: str) -> Response:
    """What this farm has no route for, in FastAPI's words."""
    return _answer(NotFound.status, {"detail": "Not Found"})
