"""Forgetting what has had its day."""

from sqlalchemy import bindparam, delete, select

from myriad import clock
from myriad.db.database import Database
from myriad.db.tables import LIVE, IdempotencyKeyRow, JobRow
from myriad.job import Stage

# Built once: a front end asks it 25 times a second while somebody waits.
_LIVE_AMONG = select(JobRow.id).where(
    JobRow.id.in_(bindparam("ids", expanding=True)), JobRow.state.in_(LIVE)
)


def forget_idempotency_keys(db: Database) -> None:
    """Drop bindings past their time; looked for first: a read keeps no writer waiting."""
    is_past = IdempotencyKeyRow.expires_at < clock.now()
    with db.read() as session:
        if session.scalar(select(IdempotencyKeyRow.key).where(is_past).limit(1)) is None:
            return
    with db.write() as session:
        session.execute(delete(IdempotencyKeyRow).where(is_past))


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
    with db.read() as session:
        return set(session.scalars(_LIVE_AMONG, {"ids": list(job_ids)}))


def artifacts_of_live_jobs(db: Database) -> set[str]:
    """Artifacts that live jobs go on from: of a run taken over they bear another job's name."""
    query = select(JobRow.artifact_keys).where(
        JobRow.state.in_(LIVE), JobRow.stage != Stage.ENCODE.value
    )
    with db.read() as session:
        return {key for keys in session.scalars(query) for key in keys.values()}
