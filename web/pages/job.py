"""One job's page: live while it runs, and all one can do with it afterwards."""

from typing import Any
from zlib import crc32

from flask import render_template, url_for
from werkzeug.wrappers import Response

from myriad.job import JobState
from myriad.record import JobRecord
from web.auth import current_caller
from web.farm import current_farm
from web.intake import accept
from web.jobs import current_preview, end_job, preview_of, read_job, remove_job, view_job
from web.links import base_url, thumbnail_url
from web.pages.blueprint import pages
from web.pages.curl import curl_command
from web.pages.form_data import check
from web.pages.job_facts import shown_facts, shown_inputs
from web.pages.redirect import to_gallery, to_job
from web.word import failure_text, is_beyond, status_line


@pages.get("/jobs/<job:job_id>")
def job_page(job_id: str) -> str:
    """The whole page."""
    return render_template("job.html", **_context(job_id))


@pages.get("/jobs/<job:job_id>/panel")
def job_panel(job_id: str) -> str:
    """The part that changes, for the page to fetch while the job is not final."""
    return render_template("job_panel.html", **_context(job_id))


@pages.get("/jobs/<job:job_id>.json")
def job_json(job_id: str) -> dict[str, Any]:
    """As the native API shows it, for browsers: that knows nobody by a cookie."""
    return view_job(read_job(job_id, current_caller()))


@pages.get("/jobs/<job:job_id>/preview")
def preview(job_id: str) -> Response:
    """The picture as far as it is drawn."""
    return preview_of(read_job(job_id, current_caller()))


@pages.post("/jobs/<job:job_id>/cancel")
def cancel(job_id: str) -> Response:
    """End the job."""
    return to_job(end_job(job_id, current_caller()).id)


@pages.get("/jobs/<job:job_id>/delete")
def ask_to_delete(job_id: str) -> str:
    """Ask before it is gone."""
    return render_template("delete.html", job=read_job(job_id, current_caller()))


@pages.post("/jobs/<job:job_id>/delete")
def delete(job_id: str) -> Response:
    """Delete the job with its pictures, and go on to the gallery."""
    remove_job(job_id, current_caller())
    return to_gallery()


@pages.post("/jobs/<job:job_id>/retry")
def retry(job_id: str) -> Response:
    """The same once more, seed included; a picture that exists is drawn afresh."""
    record = read_job(job_id, current_caller())
    return _again(record, {**record.params, "cache": record.state is not JobState.SUCCEEDED})


@pages.post("/jobs/<job:job_id>/remix")
def remix(job_id: str) -> Response:
    """The same with a new seed."""
    record = read_job(job_id, current_caller())
    params = {name: value for name, value in record.params.items() if name != "seed"}
    return _again(record, {**params, "cache": False})


def _again(record: JobRecord, asked: dict[str, Any]) -> Response:
    request = check({**asked, "model": record.model, "metadata": {"made_from": record.id}})
    return to_job(accept(request, current_caller()).job_id)


def _context(job_id: str) -> dict[str, Any]:
    record = read_job(job_id, current_caller())
    model = current_farm().catalog.get(record.model)
    body = {"model": record.model, **record.params}
    return {
        "job": record,
        "view": view_job(record),
        "is_final": record.state.is_final,
        "words": status_line(record),
        "failure": failure_text(record.error_code),
        "beyond_model": model if model and is_beyond(model, record.params["prompt"]) else None,
        "source_url": _source_url(record),
        "preview_url": _preview_url(record),
        "thumbnail_url": thumbnail_url,
        "job_inputs": shown_inputs(record.params),
        "facts": shown_facts(record.params),
        "curl": curl_command(base_url(), body, needs_key=current_caller().key_id is not None),
    }


def _source_url(record: JobRecord) -> str | None:
    """The page of the job this one was made from, if it says so and it can be one of ours."""
    source = record.metadata.get("made_from", "")
    is_id = len(source) == 32 and set(source) <= set("0123456789abcdef")
    return url_for("pages.job_page", job_id=source) if is_id else None


def _preview_url(record: JobRecord) -> str | None:
    """Where the preview is, by another address whenever it is another picture."""
    jpeg = current_preview(record)
    if jpeg is None:
        return None
    return url_for("pages.preview", job_id=record.id, of=f"{crc32(jpeg):08x}")
