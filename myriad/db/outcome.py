"""How a run starts and ends: state, pictures, events and deliveries, in one transaction."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, func, insert, literal, update
from sqlalchemy.orm import Session

from myriad.db.batch_end import end_batches
from myriad.db.joined import Joined, change_joined, lock_joined
from myriad.db.outbox import record_event, record_events
from myriad.db.tables import ImageRow, JobRow, StageRunRow
from myriad.errors import DeadlineExceeded, MyriadError
from myriad.job import EventKind, JobState, Stage

_OF_THE_RUN = (
    "state",
    "stage",
    "notes",
    "completed_at",
    "error_code",
    "error_message",
    "error_field",
)
"""What becomes of a run is written into every job that has joined it."""


def start(session: Session, job: JobRow, at: datetime) -> None:
    """The first claim of the job, which is held: it and all that wait for its run are running."""
    joined = lock_joined(session, job)
    job.started_at = at
    change_joined(session, job, {"state": JobState.RUNNING.value, "started_at": _began(at)})
    fresh = [waiting for waiting in joined if waiting.started_at is None]
    record_events(session, [job, *fresh], [EventKind.START], at)


def succeed(session: Session, job: JobRow, images: Sequence[ImageRow], at: datetime) -> None:
    """End the job and every job that joined it with these pictures (rows without a job yet)."""
    job.stage = Stage.DECODE.value
    _end(job, JobState.SUCCEEDED, at)
    ended = _end_run(session, job)
    _copy_images(session, images, [each.id for each in ended])
    record_events(session, ended, [EventKind.OUTPUT, EventKind.COMPLETED], at)
    end_batches(session, ended, at)


def fail(session: Session, job: JobRow, error: MyriadError, at: datetime) -> None:
    """End the job and those that joined it: the same run would fail them the same way."""
    _end(job, JobState.FAILED, at)
    keep_error(job, error)
    ended = _end_run(session, job)
    record_events(session, ended, [EventKind.COMPLETED], at)
    end_batches(session, ended, at)


def cancel(session: Session, job: JobRow, at: datetime) -> None:
    """End this job alone, and the stage run it may be in."""
    _end(job, JobState.CANCELED, at)
    _end_alone(session, job, JobState.CANCELED.value, at)


def expire(session: Session, job: JobRow, at: datetime) -> None:
    """Fail this job alone, and the stage run it may be in: its deadline is its own."""
    _end(job, JobState.FAILED, at)
    keep_error(job, DeadlineExceeded("not finished by its deadline"))
    _end_alone(session, job, DeadlineExceeded.code, at)


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


def _end_run(session: Session, job: JobRow) -> list[JobRow | Joined]:
    """End all that joined the job as it has just ended; they and the job itself."""
    joined = lock_joined(session, job)
    if joined:
        shared = {name: getattr(job, name) for name in _OF_THE_RUN}
        change_joined(session, job, shared | {"started_at": _began(job.completed_at)})
    return [job, *joined]


def _began(at: datetime | None) -> ColumnElement[datetime | None]:
    return func.coalesce(JobRow.started_at, literal(at, JobRow.started_at.type))


def _copy_images(session: Session, images: Sequence[ImageRow], job_ids: Sequence[str]) -> None:
    """The same stored pictures as images of each of these jobs."""
    names = [column.key for column in ImageRow.__table__.columns if column.key != "job_id"]
    rows = [
        {"job_id": job_id} | {name: getattr(image, name) for name in names}
        for image in images
        for job_id in job_ids
    ]
    if rows:
        session.execute(insert(ImageRow), rows)
