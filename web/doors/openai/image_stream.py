"""A picture as it comes into being: server-sent events of previews, then of the picture."""

import json
from collections.abc import Iterator
from contextlib import suppress
from time import monotonic
from typing import Any

from flask import Response, stream_with_context

from myriad.errors import DatabaseUnavailable, MyriadError
from myriad.job import overall_progress
from myriad.record import JobRecord
from web.auth import Caller
from web.doors.openai.door import error_body
from web.doors.openai.image_request import ImageRequest
from web.doors.openai.image_view import completed_events, partial_event
from web.doors.presence import is_client_gone
from web.doors.waiting import hold_s
from web.errors import as_error
from web.farm import current_farm
from web.jobs import current_preview, read_job
from web.wait import Seat

_LOOK_EVERY_S = 0.2
_SPEAK_EVERY_S = 10.0
_HEARTBEAT = ": the picture is being drawn\n\n"
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def stream(name: str, seat: Seat, job_id: str, caller: Caller, asked: ImageRequest) -> Response:
    """Events called `name`.partial_image and `name`.completed; `seat` is left at the end.

    A client that goes away ends the stream, not the job.
    """
    told = _told(name, seat, job_id, caller, asked)
    response = Response(stream_with_context(told), mimetype="text/event-stream", headers=_HEADERS)
    response.call_on_close(seat.leave)
    return response


def _told(name: str, seat: Seat, job_id: str, caller: Caller, asked: ImageRequest) -> Iterator[str]:
    try:
        yield from _previews(name, seat, job_id, caller, asked)
        for event in completed_events(name, read_job(job_id, caller), asked):
            yield _frame(event)
    except Exception as error:  # the status line is gone: only an event can tell
        yield _error_frame(as_error(error))


def _previews(
    name: str, seat: Seat, job_id: str, caller: Caller, asked: ImageRequest
) -> Iterator[str]:
    """At most as many as were asked for, spread over the run; signs of life in between."""
    yield _HEARTBEAT
    shown, last, spoke = 0, b"", monotonic()
    end = monotonic() + hold_s()
    while monotonic() < end and not seat.wait(job_id, _LOOK_EVERY_S):
        if is_client_gone():
            return
        jpeg = None
        if shown < asked.partial_images:
            with suppress(DatabaseUnavailable):  # for a moment, else the wait ends
                record = read_job(job_id, caller)
                jpeg = _due_preview(record, shown / asked.partial_images)
        if jpeg and jpeg != last:
            yield _frame(partial_event(name, shown, jpeg, record, asked))
            shown, last, spoke = shown + 1, jpeg, monotonic()
        elif monotonic() - spoke >= _SPEAK_EVERY_S:
            yield _HEARTBEAT
            spoke = monotonic()


def _due_preview(record: JobRecord, due: float) -> bytes | None:
    """The preview of a job that is at least that far, 0..1."""
    fraction = current_farm().signals.progress(record.work_id)
    is_due = overall_progress(record.state, record.stage, fraction) >= due
    return current_preview(record) if is_due else None


def _frame(event: dict[str, Any]) -> str:
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n"


def _error_frame(error: MyriadError) -> str:
    return f"event: error\ndata: {json.dumps(error_body(error))}\n\n"
