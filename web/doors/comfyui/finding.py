"""The caller's jobs that came through this door."""

from myriad.db.idempotency import job_under_key
from myriad.db.jobs import list_jobs
from myriad.db.live import LiveJob, live_jobs
from myriad.errors import NotFound
from myriad.record import JobRecord
from web.auth import Caller
from web.doors.comfyui.prompting import DOOR, idempotency_key
from web.doors.comfyui.ticket import is_client_id, job_id_of
from web.farm import current_farm
from web.jobs import read_job


def find(prompt_id: str, caller: Caller) -> JobRecord | None:
    """The job of that id, ours or one the client gave; None if the caller has none."""
    if not is_client_id(prompt_id):
        return None
    job_id = job_under_key(current_farm().db, idempotency_key(prompt_id), scope=caller.scope)
    try:
        record = read_job(job_id or job_id_of(prompt_id) or "", caller)
    except NotFound:
        return None
    return record if record.door == DOOR else None


def finished(caller: Caller, limit: int) -> list[JobRecord]:
    """The newest that have ended, oldest of them first."""
    page = list_jobs(current_farm().db, scope=caller.scope, has_ended=True, door=DOOR, limit=limit)
    return list(reversed(page.jobs))


def live(caller: Caller) -> list[LiveJob]:
    """All that run, then all that wait, each oldest first."""
    return live_jobs(current_farm().db, scope=caller.scope, door=DOOR)
