"""Routes of the native API for batches."""

from typing import Any

from flask import request

from myriad.db.batches import list_batches
from web.api.batch_model import BatchHeaders, BatchList, BatchQuery, BatchRequest, BatchView
from web.api.batch_plan import plan
from web.api.routes import ALWAYS, native
from web.auth import current_caller
from web.batches import accept_batch, batch_under_key, cancel_batch, read_batch, view_batch
from web.farm import current_farm
from web.request import StrictRequest, takes_uploads

__all__ = ["native"]


@native.post("/batches")
@takes_uploads
@native.input(BatchRequest, location="json", arg_name="asked")
@native.input(BatchHeaders, location="headers", arg_name="headers")
@native.output(BatchView, status_code=201, description="The batch, new or replayed")
@native.doc(responses=[*ALWAYS, 413, 415, 422])
def create_batch(asked: BatchRequest, headers: BatchHeaders) -> Any:
    """Ask for many jobs at once.

    All of them are made, or, if one is refused, none. A repeated `Idempotency-Key` answers with
    the first request's batch and `Idempotent-Replayed: true`.
    """
    caller, key = current_caller(), headers.idempotency_key
    assert isinstance(request, StrictRequest)
    digest = request.json_body.digest
    intake = batch_under_key(caller, key, digest) if key else None
    if intake is None:
        intake = accept_batch(
            plan(asked, current_farm().settings.max_batch),
            caller,
            metadata=asked.metadata,
            webhook=asked.webhook,
            idempotency_key=key,
            request_digest=digest,
        )
    extra = {"Location": f"/api/v1/batches/{intake.batch_id}"}
    if intake.is_replay:
        extra["Idempotent-Replayed"] = "true"
    return view_batch(read_batch(intake.batch_id, caller)), 201, extra


@native.get("/batches")
@native.input(BatchQuery, location="query", arg_name="query")
@native.output(BatchList)
@native.doc(responses=[*ALWAYS])
def get_batches(query: BatchQuery) -> Any:
    """List your batches, newest first."""
    page = list_batches(
        current_farm().db, scope=current_caller().sees, cursor=query.cursor, limit=query.limit
    )
    return {"batches": [view_batch(record) for record in page.batches], "cursor": page.cursor}


@native.get("/batches/<job:batch_id>")
@native.output(BatchView)
@native.doc(responses=[*ALWAYS])
def get_batch(batch_id: str) -> Any:
    """Look at a batch; its jobs are listed by `GET /api/v1/jobs?batch=ID`."""
    return view_batch(read_batch(batch_id, current_caller()))


@native.post("/batches/<job:batch_id>/cancel")
@native.output(BatchView)
@native.doc(responses=[*ALWAYS])
def end_batch(batch_id: str) -> Any:
    """Cancel the jobs of a batch that have not ended."""
    return view_batch(cancel_batch(batch_id, current_caller()))
