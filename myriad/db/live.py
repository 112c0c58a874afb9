"""A caller's jobs of one door that have not ended: however many, so little is read of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, select

from myriad.db.database import Database
from myriad.db.jobs import visible
from myriad.db.tables import LIVE, JobRow
from myriad.job import JobState


@dataclass(frozen=True)
class LiveJob:
    """What a list of them shows; `metadata` are the job's labels."""

    id: str
    state: JobState
    created_at: datetime
    metadata: Mapping[str, str]


def live_jobs(db: Database, *, scope: str, door: str) -> list[LiveJob]:
    """All of them: first what runs, then what waits, each oldest first."""
    # Sorted here: a database that sorts by an index would go through all that ended before.
    query = select(JobRow.id, JobRow.state, JobRow.created_at, JobRow.labels)
    with db.read() as session:
        rows = session.execute(query.where(_is_live(scope, door))).all()
    found = [LiveJob(job_id, JobState(state), at, labels) for job_id, state, at, labels in rows]
    return sorted(found, key=lambda job: (job.state is JobState.QUEUED, job.created_at, job.id))


def count_live(db: Database, *, scope: str, door: str) -> int:
    """How many there are."""
    with db.read() as session:
        query = select(func.count()).select_from(JobRow).where(_is_live(scope, door))
        return session.scalar(query) or 0


def _is_live(scope: str, door: str) -> ColumnElement[bool]:
    return and_(visible(scope), JobRow.door == door, JobRow.state.in_(LIVE))
