"""Where a form's POST leads: always somewhere on this farm."""

from urllib.parse import urlsplit

from flask import redirect, url_for
from werkzeug.wrappers import Response


def to_job(job_id: str) -> Response:
    """To the page of a job."""
    return redirect(url_for("pages.job_page", job_id=job_id), 303)


def to_local(target: str | None) -> Response:
    """To a path of ours, or home if `target` would lead anywhere else."""
    parts = urlsplit((target or "").replace("\\", "/"))
    # A path of two slashes is another host to a browser, though not to urlsplit.
    is_path = parts.path.startswith("/") and not parts.path.startswith("//")
    is_local = not parts.scheme and not parts.netloc and is_path
    return redirect(target if target and is_local else "/", 303)
