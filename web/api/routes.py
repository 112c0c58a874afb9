"""Routes of the native API."""

from typing import Any

from apiflask import APIBlueprint
from apiflask.schemas import FileSchema
from flask import Response, request

from myriad.db.jobs import list_jobs
from myriad.db.workers import live_workers
from myriad.errors import InvalidRequest
from myriad.key import Scope
from myriad.scheduler import SCHEDULERS
from web.api.model_view import model_view
from web.api.prefer import wait_seconds
from web.api.request_model import JobHeaders, JobQuery
from web.api.response_model import InputView, JobList, JobView, ModelList, WebhookSecret
from web.auth import current_caller, needs, require_key
from web.farm import current_farm, waiting_room
from web.inputs import Inputs
from web.intake import accept
from web.job_request import JobRequest
from web.jobs import end_job, preview_of, read_job, remove_job, view_input, view_job
from web.limits import check_rate
from web.request import StrictRequest, takes_uploads

native = APIBlueprint("native", __name__, url_prefix="/api/v1", tag="Native API")
native.before_request(require_key)
native.before_request(check_rate)

ALWAYS = (401, 403, 429, 503)
"""Refusals that every route knows, before it has looked at what is asked."""


@native.post("/jobs")
@takes_uploads
@native.input(JobRequest, location="json", arg_name="asked")
@native.input(JobHeaders, location="headers", arg_name="headers")
@native.output(JobView, status_code=201, description="The job, new or replayed")
@native.doc(responses=[*ALWAYS, 413, 415, 422])
def create_job(asked: JobRequest, headers: JobHeaders) -> Any:
    """Draw a picture.

    The body is JSON, or `multipart/form-data` with the JSON as part `params` and pictures as
    parts `image`, `mask` and `control_image` (one for each ControlNet without an image, in order).
    Answers at once, or when the job is final with `Prefer: wait`. A repeated
    `Idempotency-Key` answers with the first request's job and `Idempotent-Replayed: true`.
    """
    caller = current_caller()
    assert isinstance(request, StrictRequest)
    intake = accept(
        asked,
        caller,
        parts=request.pictures,
        idempotency_key=headers.idempotency_key,
        request_digest=request.json_body.digest,
    )
    seconds = wait_seconds(headers.prefer, current_farm().settings.wait_max_s)
    waiting_room().wait(intake.job_id, seconds, caller.scope)
    record = read_job(intake.job_id, caller)
    extra = {"Location": f"/api/v1/jobs/{record.id}"}
    if seconds:
        extra["Preference-Applied"] = "wait"
    if intake.is_replay:
        extra["Idempotent-Replayed"] = "true"
    return view_job(record), 201, extra


@native.get("/jobs")
@native.input(JobQuery, location="query", arg_name="query")
@native.output(JobList)
@native.doc(responses=[*ALWAYS])
def get_jobs(query: JobQuery) -> Any:
    """List your jobs, newest first."""
    page = list_jobs(
        current_farm().db,
        scope=current_caller().sees,
        state=query.status,
        model=query.model,
        batch=query.batch,
        cursor=query.cursor,
        limit=query.limit,
    )
    return {"jobs": [view_job(record) for record in page.jobs], "cursor": page.cursor}


@native.post("/inputs")
@takes_uploads
@native.output(InputView, status_code=201, description="The input; name it by its id")
@native.doc(responses=[*ALWAYS, 400, 413, 415])
def create_input() -> Any:
    """Hand in a picture.

    One part `file` of `multipart/form-data`: a PNG, JPEG or WebP picture, kept as an upright PNG
    without metadata. The same picture has the same id.
    """
    assert isinstance(request, StrictRequest)
    request.check_boundary()
    files = request.files.getlist("file")
    if len(files) != 1 or len(request.files) + len(request.form) > 1:
        raise InvalidRequest("must be the one part of the body, and a file", field="file")
    inputs = Inputs(current_caller())
    digest = inputs.take(files[0].read(), "file")
    return view_input(inputs.keep()[digest]), 201


@native.get("/jobs/<job:job_id>")
@native.output(JobView)
@native.doc(responses=[*ALWAYS])
def get_job(job_id: str) -> Any:
    """Look at a job."""
    return view_job(read_job(job_id, current_caller()))


@native.get("/jobs/<job:job_id>/preview")
@native.output(FileSchema(type="string", format="binary"), content_type="image/jpeg")
@native.doc(responses=[*ALWAYS, 404])
def get_preview(job_id: str) -> Response:
    """Look at the picture while it is drawn; there is none before the first and after the end."""
    return preview_of(read_job(job_id, current_caller()))


@native.delete("/jobs/<job:job_id>")
@native.output({}, status_code=204, description="It is gone")
@native.doc(responses=[*ALWAYS])
def delete_job(job_id: str) -> Any:
    """Delete a job, with its pictures and all that is kept of it; a live one is ended first.

    Pictures it handed in go too, unless another job of yours names them.
    """
    remove_job(job_id, current_caller())
    return ""


@native.post("/jobs/<job:job_id>/cancel")
@native.output(JobView)
@native.doc(responses=[*ALWAYS])
def cancel_job(job_id: str) -> Any:
    """Cancel a job; one that has ended stays as it is."""
    return view_job(end_job(job_id, current_caller()))


@native.get("/models")
@native.output(ModelList)
@native.doc(responses=[*ALWAYS])
def get_models() -> Any:
    """List the models, their limits and the languages they understand."""
    farm = current_farm()
    workers = live_workers(farm.db, within_s=farm.settings.lease_s)
    models = [model_view(model, farm.catalog, workers) for model in farm.catalog.values()]
    return {"models": models, "schedulers": list(SCHEDULERS)}


@native.get("/webhooks/default/secret")
@needs(Scope.ADMIN)
@native.output(WebhookSecret)
@native.doc(responses=[*ALWAYS])
def get_webhook_secret() -> Any:
    """Show what webhooks are signed with.

    The secret is one for all, and who knows it could forge an event to another: once
    there are API keys, only one with the scope `admin` is shown it.
    """
    return {"key": current_farm().webhook_secret}
