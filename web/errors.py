"""Every error a visitor can meet, in one shape: JSON for programs, a page for people."""

import re
from math import ceil
from typing import Any

import structlog
from apiflask import APIFlask
from apiflask.exceptions import HTTPError
from flask import Response, jsonify, render_template, request
from werkzeug.exceptions import HTTPException

from myriad.errors import (
    DeadlineExceeded,
    InvalidRequest,
    MyriadError,
    RequestError,
    StageError,
    StillRunning,
    Unauthorized,
    Unavailable,
)
from web.metrics import current_metrics
from web.word import error_text, status_title

RETRY_AFTER_S = 5
_MAX_FIELD_CHARS = 200
_log = structlog.get_logger(__name__)
# Several classes share 400; for an error that only has a status, the plain one speaks.
_KINDS: list[type[RequestError]] = [*RequestError.__subclasses__(), RequestError]
_KIND_OF = {kind.status: kind for kind in _KINDS}
_CODES = {status: kind.code for status, kind in _KIND_OF.items()}
# What a job failed of is its caller's to know: the native API shows the same in its body.
_TOLD = (Unavailable, StillRunning, StageError, DeadlineExceeded)
_OUR_FAULT = "something went wrong on our side"


def register_errors(app: APIFlask) -> None:
    """Leave no way out of the app but `{"error": {"code", "message", "field"?}}` or its page."""
    app.register_error_handler(MyriadError, _myriad_error)
    app.register_error_handler(HTTPError, _validation_error)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _unexpected_error)


def render_error(error: MyriadError) -> Response:
    """The answer to an error of ours, with the headers its status calls for."""
    response = _answer(error.status, error.to_dict())
    if isinstance(error, Unauthorized):
        response.headers["WWW-Authenticate"] = "Bearer"
    tell_when(response, error)
    return response


def tell_when(response: Response, error: MyriadError) -> None:
    """Say in `Retry-After` when another try can help, if one can."""
    if error.is_retryable:
        response.headers["Retry-After"] = str(ceil(error.retry_after_s or RETRY_AFTER_S))


def as_error(error: Exception) -> MyriadError:
    """Whatever a view raised, as one of ours; logged if it is our own fault."""
    if isinstance(error, MyriadError):
        if error.status >= 500 and not isinstance(error, _TOLD):
            _tell_operator(error, code=error.code)
            return MyriadError(_OUR_FAULT)
        return error
    if isinstance(error, HTTPException) and (error.code or 500) < 500:
        kind = _KIND_OF.get(error.code or 500, RequestError)
        return kind(error.description or error.name)
    _tell_operator(error)
    return MyriadError(_OUR_FAULT)


def wants_page() -> bool:
    """Whether a person in a browser asked: API routes never answer with HTML."""
    if request.blueprint:
        return request.blueprint == "pages"
    best = request.accept_mimetypes.best_match(["application/json", "text/html"])
    return not request.path.startswith("/api/") and best == "text/html"


def _myriad_error(error: MyriadError) -> Response:
    if error.status >= 500 and not isinstance(error, Unavailable):
        _tell_operator(error, code=error.code)
        return _answer(500, _internal())
    return render_error(error)


def _validation_error(error: HTTPError) -> Response:
    """APIFlask's report, `{location: {field: [message, …]}}`, cut down to the first field."""
    for location, fields in (error.detail or {}).items():
        for field, messages in fields.items():
            message = str(messages[0]).removeprefix("Value error, ")
            return render_error(InvalidRequest(message, field=_field_name(location, field)))
    return _answer(error.status_code, {"code": _code(error.status_code), "message": error.message})


def _field_name(location: str, field: str) -> str | None:
    if field == "_schema":
        return None
    return field.replace("_", "-").title() if location == "headers" else field[:_MAX_FIELD_CHARS]


def _http_error(error: HTTPException) -> Response:
    status = error.code or 500
    if status >= 500:
        return _answer(500, _internal())
    response = _answer(status, {"code": _code(status, error.name), "message": error.description})
    if allow := dict(error.get_headers()).get("Allow"):
        response.headers["Allow"] = allow
    return response


def _unexpected_error(error: Exception) -> Response:
    _tell_operator(error)
    return _answer(500, _internal())


def _tell_operator(error: Exception, **about: str) -> None:
    """Log and count a defect of ours, which the visitor hears nothing of."""
    _log.error("request_failed", path=request.path, exc_info=error, **about)
    current_metrics().traffic.internal_errors.inc()


def _internal() -> dict[str, Any]:
    return {"code": MyriadError.code, "message": _OUR_FAULT}


def _code(status: int, name: str = "bad request") -> str:
    return _CODES.get(status) or re.sub(r"\W+", "_", name.lower())


def _answer(status: int, error: dict[str, Any]) -> Response:
    if wants_page():
        words = {"title": status_title(status), "text": error_text(status, error["code"])}
        response = Response(render_template("error.html", error=error, **words))
    else:
        response = jsonify(error=error)
    response.status_code = status
    return response
