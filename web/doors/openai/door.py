"""OpenAI's interface, as far as it makes pictures and videos: its door and its errors."""

from typing import Any

from flask import Response, jsonify

from myriad.errors import (
    Conflict,
    Forbidden,
    JobCanceled,
    MyriadError,
    NotFound,
    PromptTooLong,
    QuotaExceeded,
    RateLimited,
    StageError,
    Unauthorized,
)
from web.doors.door import Door
from web.errors import RETRY_AFTER_S

# What its clients show next to a message is their own name for the field.
_PARAMS = {
    "num_images": "n",
    "width": "size",
    "height": "size",
    "num_frames": "seconds",
}
_TYPES: dict[type[MyriadError], str] = {Forbidden: "permission_error", RateLimited: "requests"}
_CODES: dict[type[MyriadError], str] = {
    Unauthorized: "invalid_api_key",
    RateLimited: "rate_limit_exceeded",
}


def error_body(error: MyriadError) -> dict[str, Any]:
    """`{"error": {"message", "type", "param", "code"}}`."""
    code = _CODES.get(type(error), error.code)
    if isinstance(error, NotFound) and error.field == "model":
        code = "model_not_found"
    param = _PARAMS.get(error.field or "", error.field)
    return {
        "error": {
            "message": f"{param}: {error.message}" if param else error.message,
            "type": _type(error),
            "param": param,
            "code": code,
        }
    }


def _type(error: MyriadError) -> str:
    for kind, name in _TYPES.items():
        if isinstance(error, kind):
            return name
    return "server_error" if error.status >= 500 else "invalid_request_error"


def say(error: MyriadError) -> Response:
    """An error as OpenAI's clients read it; they also hear whether to try again."""
    response = jsonify(error_body(error))
    # Theirs knows 400 for whatever is wrong with a request.
    response.status_code = 400 if isinstance(error, PromptTooLong) else error.status
    should_retry = _can_retry(error)
    response.headers["X-Should-Retry"] = "true" if should_retry else "false"
    if should_retry:
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    if isinstance(error, Unauthorized):
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _can_retry(error: MyriadError) -> bool:
    """A failed job has had its tries, and a day's quota is back tomorrow; only two at the very
    same moment are a passing conflict.
    """
    if isinstance(error, StageError | JobCanceled | QuotaExceeded):
        return False
    return error.is_retryable or isinstance(error, Conflict)


openai = Door("openai", __name__, say=say, url_prefix="/v1")
