"""Terminal transitions: state, pictures, events and deliveries, in one transaction."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from myriad.db.batch_end import end_batches
from myriad.db.outbox import record_event
from myriad.db.tables import LIVE, ImageRow, JobRow, StageRunRow
from myriad.errors import DeadlineExceeded, MyriadError
from myriad.job import EventKind, JobState, Stage


def succeed(session: Session, job: JobRow, images: Sequence[ImageRow], at: datetime) -> None:
    """End the job and every job that joined it with these pictures (rows without a job yet)."""
    all_ending = (job, *followers(session, job))
    for ending in all_ending:
        _end(ending, JobState.SUCCEEDED, at)
        ending.stage, ending.notes = Stage.DECODE.value, job.notes
        session.add_all(copy_image(image, ending.id) for image in images)
        session.flush()
        record_event(session, ending, EventKind.OUTPUT, at)
        record_event(session, ending, EventKind.COMPLETED, at)
    end_batches(session, all_ending, at)


def fail(session: Session, job: JobRow, error: MyriadError, at: datetime) -> None:
    """End the job and those that joined it: the same run would fail them the same way."""
    all_ending = (job, *followers(session, job))
    for ending in all_ending:
        _end(ending, JobState.FAILED, at)
        ending.notes = job.notes
        keep_error(ending, error)
        record_event(session, ending, EventKind.COMPLETED, at)
    end_batches(session, all_ending, at)


def cancel(session: Session, job: JobRow, at: datetime) -> None:
    """End this job alone, and the stage run it may be in."""
    _end(job, JobState.CANCELED, at)
    _end_alone(session, job, JobState.CANCELED.value, at)


def expire(session: Session, job: JobRow, at: datetime) -> None:
    """Fail this job alone, and the stage run it may be in: its deadline is its own."""
    _end(job, JobState.FAILED, at)
    keep_error(job, DeadlineExceeded("not finished by its deadline"))
    _end_alone(session, job, DeadlineExceeded.code, at)


def followers(session: Session, job: JobRow) -> list[JobRow]:
    """Live jobs waiting for this one's run, oldest first, locked."""
    query = (
        select(JobRow)
        .where(JobRow.leader_id == job.id, JobRow.state.in_(LIVE))
        .order_by(JobRow.created_at, JobRow.id)
        .with_for_update()
    )
    return list(session.scalars(query))


def copy_image(image: ImageRow, job_id: str) -> ImageRow:
    """The same stored picture as an image of another job."""
    names = [column.key for column in ImageRow.__table__.columns if column.key != "job_id"]
    return ImageRow(job_id=job_id, **{name: getattr(image, name) for name in names})


def keep_error(job: JobRow, error: MyriadError | None) -> None:
    """Write down what went wrong, or that nothing did."""
    job.error_code = error.code if error else None
    job.error_message = error.message if error else None
    job.error_field = error.field if error else None


def _end_alone(session: Session, job: JobRow, how: str, at: datetime) -> None:
    session.execute(
        update(StageRunRow)
        .where(StageRunRow.job_id == job.id, StageRunRow.finished_at.is_(None))
        .values(finished_at=at, outcome=how)
    )
    session.flush()
    record_event(session, job, EventKind.COMPLETED, at)
    end_batches(session, [job], at)


def _end(job: JobRow, state: JobState, at: datetime) -> None:
    job.state = state.value
    job.completed_at = at
    job.started_at = job.started_at or at
    job.lease_owner = job.lease_until = job.flight_key = None
    keep_error(job, None)
