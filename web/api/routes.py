"""Routes of the native API."""

from typing import Any

from apiflask import APIBlueprint
from flask import request

from myriad.catalog import Model
from myriad.db.jobs import list_jobs
from myriad.errors import Forbidden
from myriad.scheduler import SCHEDULERS
from web.api.prefer import wait_seconds
from web.api.request_model import JobHeaders, JobQuery
from web.api.response_model import JobList, JobView, ModelList, WebhookSecret
from web.auth import current_caller, require_key
from web.farm import current_farm, waiting_room
from web.intake import accept
from web.job_request import JobRequest
from web.jobs import end_job, read_job, view_job
from web.request import StrictRequest

native = APIBlueprint("native", __name__, url_prefix="/api/v1", tag="Native API")
native.before_request(require_key)


@native.post("/jobs")
@native.input(JobRequest, location="json", arg_name="asked")
@native.input(JobHeaders, location="headers", arg_name="headers")
@native.output(JobView, status_code=201, description="The job, new or replayed")
@native.doc(responses=[401, 413, 415, 422, 503])
def create_job(asked: JobRequest, headers: JobHeaders) -> Any:
    """Draw a picture.

    Answers at once, or when the job is final with `Prefer: wait`. A repeated
    `Idempotency-Key` answers with the first request's job and `Idempotent-Replayed: true`.
    """
    caller = current_caller()
    assert isinstance(request, StrictRequest)
    intake = accept(
        asked,
        caller,
        idempotency_key=headers.idempotency_key,
        request_digest=request.json_body.digest,
    )
    seconds = wait_seconds(headers.prefer, current_farm().settings.wait_max_s)
    record = waiting_room().wait(lambda: read_job(intake.job_id, caller), seconds)
    extra = {"Location": f"/api/v1/jobs/{record.id}"}
    if seconds:
        extra["Preference-Applied"] = "wait"
    if intake.is_replay:
        extra["Idempotent-Replayed"] = "true"
    return view_job(record), 201, extra


@native.get("/jobs")
@native.input(JobQuery, location="query", arg_name="query")
@native.output(JobList)
@native.doc(responses=[401, 503])
def get_jobs(query: JobQuery) -> Any:
    """List your jobs, newest first."""
    page = list_jobs(
        current_farm().db,
        scope=current_caller().scope,
        state=query.status,
        model=query.model,
        cursor=query.cursor,
        limit=query.limit,
    )
    return {"jobs": [view_job(record) for record in page.jobs], "cursor": page.cursor}


@native.get("/jobs/<job:job_id>")
@native.output(JobView)
@native.doc(responses=[401, 503])
def get_job(job_id: str) -> Any:
    """Look at a job."""
    return view_job(read_job(job_id, current_caller()))


@native.post("/jobs/<job:job_id>/cancel")
@native.output(JobView)
@native.doc(responses=[401, 503])
def cancel_job(job_id: str) -> Any:
    """Cancel a job; one that has ended stays as it is."""
    return view_job(end_job(job_id, current_caller()))


@native.get("/models")
@native.output(ModelList)
@native.doc(responses=[401, 503])
def get_models() -> Any:
    """List the models, their limits and the languages they understand."""
    catalog = current_farm().catalog
    models = [_model_view(model, model is catalog.default) for model in catalog.values()]
    return {"models": models, "schedulers": list(SCHEDULERS)}


@native.get("/webhooks/default/secret")
@native.output(WebhookSecret)
@native.doc(responses=[401, 403, 503])
def get_webhook_secret() -> Any:
    """Show what webhooks are signed with.

    Only on a farm without API keys: the secret is one for all, and who knows it
    could forge an event to another.
    """
    if current_caller().key_id is not None:
        raise Forbidden("ask the operator of this farm for the webhook secret")
    return {"key": current_farm().webhook_secret}


def _model_view(model: Model, is_default: bool) -> dict[str, Any]:
    view = model.model_dump(mode="json", exclude={"source", "revision"})
    return view | {"is_default": is_default}
