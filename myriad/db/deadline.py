"""Ending jobs whose own deadline has passed, wherever they stand."""

from sqlalchemy import ColumnElement, and_, select

from myriad import clock
from myriad.db import outcome
from myriad.db.cancel import hand_over
from myriad.db.database import Database
from myriad.db.tables import LIVE, JobRow

EXPIRE_BATCH = 200


def expire_overdue(db: Database) -> list[str]:
    """End at most `EXPIRE_BATCH` jobs past their deadline, held or not; returns those it ended.

    A worker that still holds one finds its lease gone, as after a cancel.
    """
    with db.read() as session:
        overdue = list(session.scalars(select(JobRow.id).where(_is_overdue()).limit(EXPIRE_BATCH)))
    return [job_id for job_id in overdue if expire(db, job_id)]


def expire(db: Database, job_id: str) -> bool:
    """End the job if its deadline has passed. False: it has ended, or somebody is at it."""
    query = select(JobRow).where(JobRow.id == job_id, _is_overdue())
    with db.write() as session:
        job = session.scalar(query.with_for_update(skip_locked=True))
        if job is None:
            return False
        hand_over(session, job)
        outcome.expire(session, job, clock.now())
        return True


def _is_overdue() -> ColumnElement[bool]:
    return and_(JobRow.state.in_(LIVE), JobRow.deadline_at <= clock.now())
