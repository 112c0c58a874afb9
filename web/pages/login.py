"""Logging in with an API key, on farms that have any."""

from flask import render_template, request
from werkzeug.wrappers import Response

from myriad.errors import Unauthorized
from web.auth import log_in, log_out
from web.pages.blueprint import pages
from web.pages.redirect import to_local


@pages.route("/login", methods=["GET", "POST"])
def login() -> Response | str | tuple[str, int]:
    """Ask for a key, and remember whose it is."""
    if request.method == "GET":
        return render_template("login.html", is_refused=False)
    try:
        log_in(request.form.get("key", "").strip())
    except Unauthorized as error:
        return render_template("login.html", is_refused=True), error.status
    return to_local(request.args.get("next"))


@pages.post("/logout")
def logout() -> Response:
    """Forget who is at this browser."""
    log_out()
    return to_local("/")
