"""The pages' blueprint: who may see them."""

from apiflask import APIBlueprint
from flask import g, redirect, request, url_for
from werkzeug.wrappers import Response

from web.auth import needed_scope, session_caller
from web.limits import check_rate

pages = APIBlueprint("pages", __name__, enable_openapi=False)

_PUBLIC = frozenset({"pages.login", "pages.logout", "pages.docs"})


@pages.before_request
def require_login() -> Response | None:
    """Send strangers to the login page, and back to where they were going afterwards.

    Raises Forbidden for a key without the scope, and RateLimited.
    """
    g.caller = caller = session_caller()
    check_rate()
    if request.endpoint in _PUBLIC:
        return None
    if caller is None:
        target = request.full_path if request.method == "GET" else "/"
        return redirect(url_for("pages.login", next=target), 303)
    caller.check(needed_scope(request.endpoint, request.method))
    return None


@pages.context_processor
def offer_caller() -> dict[str, bool]:
    """Templates show a way out to those who came in."""
    caller = g.get("caller")
    return {"is_logged_in": caller is not None and caller.key_id is not None}
