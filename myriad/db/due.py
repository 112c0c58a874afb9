"""What dispatch and the janitor look for: jobs due for a hint, and leases that ran out."""

from dataclasses import dataclass

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from myriad import clock
from myriad.db.commit import RetryRule, retry_or_fail
from myriad.db.database import Database
from myriad.db.tables import JobRow, StageRunRow
from myriad.errors import WorkerLost
from myriad.job import LIVE_STATES, JobState, Stage
from myriad.pool import Pool

_LIVE = [state.value for state in LIVE_STATES]
_RECLAIM_BATCH = 200


@dataclass(frozen=True)
class Hint:
    """What a broker message says: this stage of this job may be claimed."""

    job_id: str
    stage: Stage


def take_due(
    db: Database, pool: Pool, stage: Stage, *, limit: int, redispatch_s: float
) -> list[Hint]:
    """Jobs whose `stage` this pool may be told of now, at most `limit`, most urgent first.

    Their next due time moves `redispatch_s` ahead in the same transaction: if
    the message is lost, the job is simply due again.
    """
    if limit <= 0:
        return []
    with db.write() as session:
        ids = _due_ids(session, pool, stage, limit)
        if ids:
            due = clock.after(redispatch_s)
            session.execute(update(JobRow).where(JobRow.id.in_(ids)).values(dispatch_due=due))
        return [Hint(job_id, stage) for job_id in ids]


def _due_ids(session: Session, pool: Pool, stage: Stage, limit: int) -> list[str]:
    query = select(JobRow.id).where(
        JobRow.state.in_(_LIVE),
        JobRow.stage == stage.value,
        JobRow.dispatch_due <= clock.now(),
        JobRow.lease_until.is_(None),
        JobRow.leader_id.is_(None),
    )
    if "*" not in pool.models:
        query = query.where(JobRow.model.in_(pool.models))
    query = query.order_by(JobRow.priority.desc(), JobRow.created_at, JobRow.id)
    return list(session.scalars(query.limit(limit).with_for_update(skip_locked=True)))


def has_due(db: Database, stage: Stage) -> bool:
    """Whether anything waits for a hint; a read, so that idle farms take no write lock."""
    query = select(JobRow.id).where(
        JobRow.state.in_(_LIVE),
        JobRow.stage == stage.value,
        JobRow.dispatch_due <= clock.now(),
        JobRow.lease_until.is_(None),
        JobRow.leader_id.is_(None),
    )
    with db.read() as session:
        return session.scalar(query.limit(1)) is not None


def reclaim_expired(db: Database, rule: RetryRule) -> list[str]:
    """Take jobs back from workers that stopped renewing; those out of tries fail."""
    query = (
        select(JobRow)
        .where(JobRow.state == JobState.RUNNING.value, JobRow.lease_until < clock.now())
        .limit(_RECLAIM_BATCH)
    )
    with db.read() as session:
        if session.scalar(query.limit(1)) is None:
            return []
    with db.write() as session:
        lost = list(session.scalars(query.with_for_update(skip_locked=True)))
        for job in lost:
            _close_lost_run(session, job)
            error = WorkerLost(f"the worker stopped answering during {job.stage}")
            retry_or_fail(session, job, error, rule)
        return [job.id for job in lost]


def _close_lost_run(session: Session, job: JobRow) -> None:
    session.execute(
        update(StageRunRow)
        .where(
            StageRunRow.job_id == job.id,
            StageRunRow.attempt == job.attempt,
            or_(StageRunRow.finished_at.is_(None), StageRunRow.outcome == "running"),
        )
        .values(finished_at=clock.now(), outcome=WorkerLost.code)
    )
