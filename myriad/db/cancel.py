"""Canceling: a terminal transition of its own; the worker finds its lease gone."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from myriad import clock
from myriad.db import outcome
from myriad.db.database import Database
from myriad.db.jobs import visible
from myriad.db.tables import JobRow
from myriad.errors import NotFound
from myriad.job import JobState


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
    waiting = outcome.followers(session, job)
    if not waiting:
        return
    heir, rest = waiting[0], waiting[1:]
    flight_key, job.flight_key = job.flight_key, None
    session.flush()  # the unique key must be free before the heir takes it
    heir.leader_id, heir.flight_key = None, flight_key
    heir.stage, heir.attempt, heir.tries = job.stage, job.attempt, 0
    heir.artifact_keys, heir.dispatch_due = job.artifact_keys, clock.now()
    heir.notes = job.notes
    for job_row in rest:
        job_row.leader_id = heir.id
