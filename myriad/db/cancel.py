"""Canceling: a terminal transition of its own; the worker finds its lease gone."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from myriad import clock
from myriad.db import outcome
from myriad.db.database import Database
from myriad.db.jobs import visible
from myriad.db.joined import change_joined, lock_joined
from myriad.db.tables import JobRow
from myriad.errors import NotFound
from myriad.job import JobState

_OF_THE_RUN = (
    "stage",
    "attempt",
    "rewinds",
    "artifact_keys",
    "notes",
    # A suspect stays one, and what ran out of memory here is not tried here again.
    "avoid_pool",
    "error_code",
    "error_message",
    "error_field",
)


def cancel_job(db: Database, job_id: str, *, scope: str | None) -> bool:
    """End the job unless it has ended. True if this call did it; NotFound if not the caller's."""
    query = select(JobRow).where(JobRow.id == job_id, visible(scope)).with_for_update()
    with db.write() as session:
        job = session.scalar(query)
        if job is None:
            raise NotFound(f"no job {job_id}")
        if JobState(job.state).is_final:
            return False
        hand_over(session, job)
        outcome.cancel(session, job, clock.now())
        return True


def hand_over(session: Session, job: JobRow) -> None:
    """If others wait for this run, the oldest of them takes it over where it stands."""
    waiting = lock_joined(session, job)
    if not waiting:
        return
    heir = session.get_one(JobRow, waiting[0].id)
    flight_key, job.flight_key = job.flight_key, None
    session.flush()  # the unique key must be free before the heir takes it
    for name in _OF_THE_RUN:
        setattr(heir, name, getattr(job, name))
    heir.leader_id, heir.flight_key = None, flight_key
    heir.priority = max(each.priority for each in waiting)
    heir.tries, heir.dispatch_due = 0, clock.now()
    session.flush()
    change_joined(session, job, {"leader_id": heir.id})  # the rest
