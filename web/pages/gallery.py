"""All your pictures, newest first."""

from flask import render_template, request

from myriad.db.jobs import list_jobs
from myriad.job import JobState
from web.auth import current_caller
from web.farm import current_farm
from web.links import thumbnail_url
from web.pages.blueprint import pages

_PAGE = 24


@pages.get("/gallery")
def gallery() -> str:
    """One page of thumbnails; `?cursor=` leads to older ones."""
    page = list_jobs(
        current_farm().db,
        scope=current_caller().sees,
        state=JobState.SUCCEEDED,
        cursor=request.args.get("cursor"),
        limit=_PAGE,
    )
    return render_template("gallery.html", page=page, thumbnail_url=thumbnail_url)
