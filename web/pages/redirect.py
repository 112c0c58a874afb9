"""Where a form's POST leads: always somewhere on this farm."""

from flask import redirect, url_for
from werkzeug.wrappers import Response


def to_job(job_id: str) -> Response:
    """To the page of a job."""
    return redirect(url_for("pages.job_page", job_id=job_id), 303)


def to_gallery() -> Response:
    """To what is left."""
    return redirect(url_for("pages.gallery"), 303)


def to_local(target: str | None) -> Response:
    """To a path of ours, or home if `target` would lead anywhere else."""
    path = (target or "").replace("\\", "/")
    # Two slashes begin the name of another host.
    is_local = path.startswith("/") and not path.startswith("//")
    return redirect(target if target and is_local else "/", 303)
