"""Forgetting what has had its day."""

from sqlalchemy import delete, select

from myriad import clock
from myriad.db.database import Database
from myriad.db.tables import LIVE, IdempotencyKeyRow, JobRow


def forget_idempotency_keys(db: Database) -> None:
    """Drop bindings past their time."""
    with db.write() as session:
        session.execute(delete(IdempotencyKeyRow).where(IdempotencyKeyRow.expires_at < clock.now()))


def is_run_live(db: Database, job_id: str) -> bool:
    """Whether this job, or one that asks for the very same and may have its run, has not ended.

    Of a job that was deleted nobody knows: its run may have gone over to another.
    """
    with db.read() as session:
        key = session.scalar(select(JobRow.exact_key).where(JobRow.id == job_id))
        live = select(JobRow.id).where(JobRow.exact_key == key, JobRow.state.in_(LIVE)).limit(1)
        return key is None or session.scalar(live) is not None


def live_jobs_among(db: Database, job_ids: set[str]) -> set[str]:
    """Those of `job_ids` that have not ended: their artifacts are still wanted."""
    query = select(JobRow.id).where(JobRow.id.in_(job_ids), JobRow.state.in_(LIVE))
    with db.read() as session:
        return set(session.scalars(query))
