"""The door itself: every address with and without `/api`, and how it words errors."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, TypeVar

from flask import Response, jsonify, request

from myriad.errors import InvalidRequest, MyriadError, Unauthorized
from web.auth import require_key
from web.doors.comfyui.problem import GraphRefused, Problem
from web.doors.door import Door
from web.errors import tell_when
from web.request import StrictRequest

_View = TypeVar("_View", bound=Callable[..., Any])
_SOCKETS = ("/ws", "/api/ws")


def say(error: MyriadError) -> Response:
    """The error as ComfyUI words those of a whole graph."""
    problem = Problem(error.code, error.message, error.field or "")
    response = jsonify(error=problem.to_json(), node_errors={})
    response.status_code = error.status
    if isinstance(error, Unauthorized):
        response.headers["WWW-Authenticate"] = "Bearer"
    tell_when(response, error)
    return response


def _refused(error: GraphRefused) -> Response:
    response = jsonify(error.to_json())
    response.status_code = HTTPStatus.BAD_REQUEST
    return response


def let_in() -> None:
    """As every door does; a socket's key may also come as `?token=`, as browsers cannot else."""
    token = request.args.get("token", "")
    if token and request.path in _SOCKETS and not request.headers.get("Authorization"):
        request.environ["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    require_key()


comfyui = Door("comfyui", __name__, say=say, let_in=let_in)
comfyui.register_error_handler(GraphRefused, _refused)


def route(path: str, method: str, *, is_socket: bool = False) -> Callable[[_View], _View]:
    """Serve the view at `path` and at `/api` before it, as ComfyUI does."""

    def register(view: _View) -> _View:
        for prefix, name in (("", view.__name__), ("/api", f"api_{view.__name__}")):
            comfyui.add_url_rule(prefix + path, name, view, methods=[method], websocket=is_socket)
        return view

    return register


def body() -> dict[str, Any]:
    """The request's object, whatever it calls itself: the stock script says it is a form.

    No body is an empty object. Raises InvalidRequest.
    """
    assert isinstance(request, StrictRequest)
    if not request.content_length and not request.get_data():
        return {}
    value = request.untyped_json.value
    if not isinstance(value, dict):
        raise InvalidRequest("the body must be an object")
    return value
