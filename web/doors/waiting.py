"""What doors share whose clients wait for the picture itself: a seat, the job, its pictures."""

from collections.abc import MutableMapping, Sequence
from time import monotonic
from typing import Any

from flask import request

from myriad.errors import DeadlineExceeded, JobCanceled, MyriadError, StageError, StillRunning
from myriad.job import JobState
from myriad.record import JobRecord
from web.auth import Caller
from web.doors.presence import is_client_gone
from web.farm import current_farm, waiting_room
from web.intake import accept
from web.job_request import JobRequest
from web.jobs import read_job
from web.request import StrictRequest
from web.wait import Seat

Uploads = MutableMapping[str, Sequence[bytes]]
"""`web.picture_fields.Parts` that are handed over for good."""

_LOOK_UP_EVERY_S = 1.0
_KINDS: list[type[MyriadError]] = [*StageError.__subclasses__(), DeadlineExceeded]
_FAILURES: dict[str, type[MyriadError]] = {kind.code: kind for kind in _KINDS}


def draw(
    asked: JobRequest, caller: Caller, parts: Uploads, *, seconds: float | None = None, **how: Any
) -> JobRecord:
    """Accept a job and hold the request until it is final or time is up.

    The seat is taken first: who finds none hears Busy, and no job was made. `how` goes
    to `web.intake.accept`; without `seconds` it is the operator's longest hold.
    A client that goes away in the meantime gives up its seat, but its job goes on.
    Nobody is to hold the uploads all that time: `parts` is emptied, and the body is gone.
    """
    with waiting_room().take_seat(caller.scope) as seat:
        intake = accept(asked, caller, parts=parts, **how)
        parts.clear()
        if isinstance(request, StrictRequest):
            request.let_go()
        return sit_out(seat, intake.job_id, caller, seconds)


def sit_out(seat: Seat, job_id: str, caller: Caller, seconds: float | None = None) -> JobRecord:
    """The job once it is final, time is up, or nobody waits any more."""
    end = monotonic() + (hold_s() if seconds is None else seconds)
    while (left := end - monotonic()) > 0:
        if seat.wait(job_id, min(left, _LOOK_UP_EVERY_S)):
            record = read_job(job_id, caller)
            if record.state.is_final:
                return record
        if is_client_gone():
            break
    return read_job(job_id, caller)


def hold_s() -> float:
    """How long an answer may be held back, seconds."""
    return current_farm().settings.hold_max_s


def failure_of(record: JobRecord) -> MyriadError | None:
    """Why there are no pictures, to raise or to word; None for a job that succeeded."""
    if record.state is JobState.SUCCEEDED:
        return None
    if record.state is JobState.CANCELED:
        return JobCanceled("the job was canceled")
    if not record.state.is_final:
        return StillRunning("not finished yet; the job goes on")
    kind = _FAILURES.get(record.error_code or "", StageError)
    return kind(record.error_message or "the job failed", field=record.error_field)


def pictures_of(record: JobRecord) -> list[bytes]:
    """The files of a finished job, in order.

    Raises StillRunning, JobCanceled, DeadlineExceeded or a StageError where there are
    none, and StorageUnavailable.
    """
    if failure := failure_of(record):
        raise failure
    storage = current_farm().storage
    return [storage.get(image.storage_key) for image in record.images]
