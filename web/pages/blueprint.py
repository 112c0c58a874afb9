"""The pages' blueprint: who may see them."""

from apiflask import APIBlueprint
from flask import g, redirect, request, url_for
from werkzeug.wrappers import Response

from web.auth import session_caller

pages = APIBlueprint("pages", __name__, enable_openapi=False)

_PUBLIC = frozenset({"pages.login", "pages.docs"})


@pages.before_request
def require_login() -> Response | None:
    """Send strangers to the login page, and back to where they were going afterwards."""
    caller = session_caller()
    if caller is None and request.endpoint not in _PUBLIC:
        target = request.full_path if request.method == "GET" else "/"
        return redirect(url_for("pages.login", next=target), 303)
    g.caller = caller
    return None


@pages.context_processor
def offer_caller() -> dict[str, bool]:
    """Templates show a way out to those who came in."""
    caller = g.get("caller")
    return {"is_logged_in": caller is not None and caller.key_id is not None}
