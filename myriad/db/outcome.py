"""Terminal transitions: state, pictures, events and deliveries, in one transaction."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from myriad.db.outbox import record_event
from myriad.db.tables import ImageRow, JobRow
from myriad.job import LIVE_STATES, EventKind, JobState

_LIVE = [state.value for state in LIVE_STATES]


def succeed(session: Session, job: JobRow, images: Sequence[ImageRow], at: datetime) -> None:
    """End the job and every job that joined it with these pictures (rows without a job yet)."""
    for ending in (job, *followers(session, job)):
        _end(ending, JobState.SUCCEEDED, at)
        session.add_all(copy_image(image, ending.id) for image in images)
        session.flush()
        record_event(session, ending, EventKind.OUTPUT, at)
        record_event(session, ending, EventKind.COMPLETED, at)


def fail(session: Session, job: JobRow, code: str, message: str, at: datetime) -> None:
    """End the job and those that joined it: the same run would fail them the same way."""
    for ending in (job, *followers(session, job)):
        ending.error_code, ending.error_message = code, message
        _end(ending, JobState.FAILED, at)
        record_event(session, ending, EventKind.COMPLETED, at)


def cancel(session: Session, job: JobRow, at: datetime) -> None:
    """End this job alone."""
    _end(job, JobState.CANCELED, at)
    session.flush()
    record_event(session, job, EventKind.COMPLETED, at)


def followers(session: Session, job: JobRow) -> list[JobRow]:
    """Live jobs waiting for this one's run, oldest first, locked."""
    query = (
        select(JobRow)
        .where(JobRow.leader_id == job.id, JobRow.state.in_(_LIVE))
        .order_by(JobRow.created_at, JobRow.id)
        .with_for_update()
    )
    return list(session.scalars(query))


def copy_image(image: ImageRow, job_id: str) -> ImageRow:
    """The same stored picture as an image of another job."""
    names = [column.key for column in ImageRow.__table__.columns if column.key != "job_id"]
    return ImageRow(job_id=job_id, **{name: getattr(image, name) for name in names})


def _end(job: JobRow, state: JobState, at: datetime) -> None:
    job.state = state.value
    job.completed_at = at
    job.started_at = job.started_at or at
    job.lease_owner = job.lease_until = job.flight_key = None
