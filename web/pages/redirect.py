"""Where a form's POST leads: always somewhere on this farm."""

import re

from flask import redirect, url_for
from werkzeug.wrappers import Response

# Printable ASCII without spaces and backslashes. Two slashes begin the name of another host,
# browsers take a backslash for a slash, and tabs and line breaks are left out before it is read.
_LOCAL = re.compile(r"/(?!/)[!-\[\]-~]*")


def to_job(job_id: str) -> Response:
    """To the page of a job."""
    return redirect(url_for("pages.job_page", job_id=job_id), 303)


def to_gallery() -> Response:
    """To what is left."""
    return redirect(url_for("pages.gallery"), 303)


def to_local(target: str | None) -> Response:
    """To a path of ours, or home if `target` would lead anywhere else."""
    return redirect(target if target and _LOCAL.fullmatch(target) else "/", 303)
