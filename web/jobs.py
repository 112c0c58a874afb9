"""Looking at jobs and ending them, for every door."""

import re
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import structlog
from flask import Response

from myriad.db.cancel import cancel_job
from myriad.db.delete import delete_job
from myriad.db.jobs import find_job
from myriad.errors import NotFound
from myriad.forget import forget
from myriad.job import JobState
from myriad.record import InputRecord, JobRecord
from myriad.status import job_view, moment
from web.auth import Caller
from web.farm import current_farm, nudge_dispatch
from web.links import base_url, image_url

# The ids we make and nothing else, so that no odd byte ever reaches SQL.
JOB_ID = re.compile("[0-9a-f]{32}")


def read_job(job_id: str, caller: Caller) -> JobRecord:
    """The caller's job. Raises NotFound, also for another's."""
    if not JOB_ID.fullmatch(job_id):
        raise NotFound("no such job")
    structlog.contextvars.bind_contextvars(job=job_id)
    return find_job(current_farm().db, job_id, scope=caller.sees)


def view_job(record: JobRecord) -> dict[str, Any]:
    """The job as the native API shows it, its progress fresh from whoever does the work."""
    signals = current_farm().signals
    is_running = record.state is JobState.RUNNING
    fraction = signals.progress(record.work_id) if is_running else 0.0
    return job_view(record, fraction=fraction, link=image_url, base_url=base_url())


def preview_of(record: JobRecord) -> Response:
    """The picture as far as it is drawn, JPEG. Raises NotFound where there is none."""
    jpeg = current_preview(record)
    if jpeg is None:
        raise NotFound("no preview of this job")
    return Response(jpeg, mimetype="image/jpeg", headers={"Cache-Control": "no-store"})


def current_preview(record: JobRecord) -> bytes | None:
    """The last preview of a running job, JPEG; a job that joined shows its leader's."""
    is_running = record.state is JobState.RUNNING
    return current_farm().signals.preview(record.work_id) if is_running else None


def view_input(record: InputRecord) -> dict[str, Any]:
    """An input as the native API shows it."""
    return {
        "id": record.digest,
        "width": record.width,
        "height": record.height,
        "size_bytes": record.size_bytes,
        "created_at": moment(record.created_at),
    }


def end_job(job_id: str, caller: Caller) -> JobRecord:
    """Cancel the job unless it has ended, and say how it stands now. Raises NotFound."""
    farm = current_farm()
    if cancel_job(farm.db, job_id, scope=caller.sees):
        farm.signals.announce_cancel(job_id)
        nudge_dispatch()
    return read_job(job_id, caller)


def end_jobs(job_ids: Iterable[str], caller: Caller) -> None:
    """Cancel those of the caller's that have neither ended nor been deleted, one by one.

    A transaction for all would hold rows that workers wait for.
    """
    farm = current_farm()
    for job_id in job_ids:
        with suppress(NotFound):
            if cancel_job(farm.db, job_id, scope=caller.sees):
                farm.signals.announce_cancel(job_id)
    nudge_dispatch()


def remove_job(job_id: str, caller: Caller) -> None:
    """Delete the job and all that belongs to it alone, ending it if need be. Raises NotFound."""
    farm = current_farm()
    forget(farm, delete_job(farm.db, job_id, scope=caller.sees))
    farm.signals.announce_cancel(job_id)
    nudge_dispatch()  # who takes the run over is due
