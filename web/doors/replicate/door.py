"""Replicate's interface: its door, and its errors, which are problem details (RFC 7807)."""

from flask import Response, jsonify

from myriad.errors import (
    IdempotencyMismatch,
    InvalidRequest,
    MyriadError,
    RateLimited,
    Unauthorized,
)
from web.doors.door import Door
from web.errors import RETRY_AFTER_S

_TITLES: dict[type[MyriadError], str] = {
    Unauthorized: "Unauthenticated",
    InvalidRequest: "Input validation failed",
}


def say(error: MyriadError) -> Response:
    """An error as Replicate's clients read it."""
    status = _status(error)
    body = {
        "type": "about:blank",
        "title": _TITLES.get(type(error), error.code.replace("_", " ").capitalize()),
        "detail": _detail(error),
        "status": status,
    }
    if error.field:
        body["invalid_fields"] = [
            {"type": error.code, "field": error.field, "description": error.message}
        ]
    response = jsonify(body)
    response.status_code = status
    response.mimetype = "application/problem+json"
    if error.is_retryable:
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    if isinstance(error, Unauthorized):
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _status(error: MyriadError) -> int:
    if isinstance(error, InvalidRequest):
        return 422
    return 409 if isinstance(error, IdempotencyMismatch) else error.status


def _detail(error: MyriadError) -> str:
    if isinstance(error, RateLimited):
        resets_s = round(error.retry_after_s or RETRY_AFTER_S)
        return f"Request was throttled. Your rate limit resets in ~{resets_s}s. {error.message}"
    return f"- {error.field}: {error.message}" if error.field else error.message


replicate = Door("replicate", __name__, say=say)
