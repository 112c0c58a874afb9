"""Predictions: asked for, also under a name of the client's own, looked at, canceled."""

import re
from typing import Any

from flask import Response, jsonify, request

from myriad.db.idempotency import job_under_key
from myriad.db.jobs import list_jobs
from myriad.errors import InvalidRequest, NotFound
from myriad.job import JobState
from myriad.model import Model
from myriad.prediction import DOOR, NAME_LABEL, name_of, prediction_view, version_named
from myriad.record import JobRecord
from web.api.prefer import wait_seconds
from web.auth import current_caller
from web.doors.replicate.door import replicate
from web.doors.replicate.input import read_input
from web.doors.replicate.name import find_model, find_version
from web.doors.replicate.request import cancel_after_s, read_request
from web.farm import current_farm, waiting_room
from web.intake import accept
from web.jobs import JOB_ID, end_job, read_job
from web.links import base_url, own_image_url
from web.request import StrictRequest, takes_uploads

_PAGE = 100
_CLIENT_ID = re.compile(r"[\w.~-]{1,128}", re.ASCII)


@replicate.post("/v1/predictions")
@takes_uploads
def create() -> Any:
    """Ask for a prediction by version."""
    version = read_request().version
    if version is None:
        raise InvalidRequest("must be given", field="version")
    return _create(find_version(version))


@replicate.post("/v1/models/<owner>/<name>/predictions")
@takes_uploads
def create_of_model(owner: str, name: str) -> Any:
    """Ask a model for a prediction."""
    return _create(find_model(owner, name))


@replicate.put("/v1/predictions/<client_id>")
@replicate.put("/predictions/<client_id>")
@takes_uploads
def create_once(client_id: str) -> Any:
    """Ask under a name of one's own, as often as need be: it is made once."""
    if not _CLIENT_ID.fullmatch(client_id):
        raise InvalidRequest("must be 1 to 128 letters, digits, . _ ~ or -", field="id")
    version = read_request().version
    model = current_farm().catalog.default if version is None else find_version(version)
    return _create(model, client_id)


@replicate.get("/v1/predictions")
def get_all() -> Response:
    """List your predictions, newest first."""
    page = list_jobs(
        current_farm().db,
        scope=current_caller().sees,
        cursor=request.args.get("cursor"),
        limit=_PAGE,
    )
    after = f"{base_url()}/v1/predictions?cursor={page.cursor}" if page.cursor else None
    return jsonify(previous=None, next=after, results=[_view(job) for job in page.jobs])


@replicate.get("/v1/predictions/<prediction_id>")
def get(prediction_id: str) -> Response:
    """Look at a prediction."""
    return jsonify(_view(_find(prediction_id)))


@replicate.post("/v1/predictions/<prediction_id>/cancel")
@replicate.post("/predictions/<prediction_id>/cancel")
def cancel(prediction_id: str) -> Response:
    """Cancel a prediction; one that has ended stays as it is."""
    return jsonify(_view(end_job(_find(prediction_id).id, current_caller())))


def _create(model: Model, client_id: str | None = None) -> Any:
    caller, body = current_caller(), read_request()
    labels = {NAME_LABEL: client_id} if client_id else {}
    asked, parts = read_input(
        body.input, model, deadline_s=cancel_after_s(), metadata=labels, **body.job_fields
    )
    assert isinstance(request, StrictRequest)
    intake = accept(
        asked,
        caller,
        parts=parts,
        request_digest=request.json_body.digest,
        door=DOOR,
        idempotency_key=_key(client_id) if client_id else None,
    )
    prefer = request.headers.get("Prefer")
    seconds = wait_seconds(prefer, current_farm().settings.wait_max_s)
    waiting_room().wait(intake.job_id, seconds, caller.scope)
    record = read_job(intake.job_id, caller)
    is_async = "respond-async" in (prefer or "")
    return jsonify(_view(record, is_waiting=bool(seconds))), 202 if is_async else 201


def _key(client_id: str) -> str:
    return f"prediction {client_id}"


def _find(prediction_id: str) -> JobRecord:
    """The caller's, by our id or the client's own. Raises NotFound."""
    caller = current_caller()
    if not _CLIENT_ID.fullmatch(prediction_id):
        raise NotFound("no such prediction")
    job_id = job_under_key(current_farm().db, _key(prediction_id), scope=caller.scope)
    if job_id is None and not JOB_ID.fullmatch(prediction_id):
        raise NotFound("no such prediction")
    return read_job(job_id or prediction_id, caller)


def _has_name(record: JobRecord) -> bool:
    """Whether the name that its client gave it still leads this caller to it."""
    name = name_of(record)
    if name is None:
        return False
    return record.id == job_under_key(current_farm().db, _key(name), scope=current_caller().scope)


def _view(record: JobRecord, *, is_waiting: bool = False) -> dict[str, Any]:
    is_running = record.state is JobState.RUNNING
    return prediction_view(
        record,
        fraction=current_farm().signals.progress(record.work_id) if is_running else 0.0,
        # Their clients send the API key along when they fetch a picture.
        link=own_image_url,
        base_url=base_url(),
        version=version_named(current_farm().catalog, record.model),
        is_waiting=is_waiting,
        has_name=_has_name(record),
    )
