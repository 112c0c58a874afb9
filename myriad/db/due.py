"""What dispatch and the janitor look for: jobs due for a hint, and leases that ran out."""

from dataclasses import dataclass

import structlog
from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from myriad import clock
from myriad.db.commit import RetryRule, retry_or_fail
from myriad.db.database import Database
from myriad.db.tables import LIVE, JobRow, StageRunRow
from myriad.db.urgent import is_welcome
from myriad.errors import WorkerLost
from myriad.job import JobState, Stage
from myriad.pool import Pool

RECLAIM_BATCH = 200

_log = structlog.get_logger(__name__)


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


def has_due(db: Database, stage: Stage) -> bool:
    """Whether anything waits for a hint; a read, so that idle farms take no write lock."""
    with db.read() as session:
        return session.scalar(select(JobRow.id).where(_is_due(stage)).limit(1)) is not None


def reclaim_expired(db: Database, rule: RetryRule) -> list[str]:
    """Take jobs back from workers that stopped renewing; those out of tries fail.

    At most `RECLAIM_BATCH` of them, each in a transaction of its own: whatever is
    wrong with one row keeps no other from its turn.
    """
    query = select(JobRow.id).where(_is_expired()).limit(RECLAIM_BATCH)
    with db.read() as session:
        expired = list(session.scalars(query))
    return [job_id for job_id in expired if _reclaim(db, job_id, rule)]


def _reclaim(db: Database, job_id: str, rule: RetryRule) -> bool:
    query = select(JobRow).where(JobRow.id == job_id, _is_expired())
    try:
        with db.write() as session:
            job = session.scalar(query.with_for_update(skip_locked=True))
            if job is None:
                return False
            _close_lost_run(session, job)
            lost = WorkerLost(f"the worker stopped answering during {job.stage}")
            retry_or_fail(session, job, lost, rule)
    except IntegrityError:
        _log.exception("not_reclaimed", job=job_id)
        return False
    return True


def _is_expired() -> ColumnElement[bool]:
    return and_(JobRow.state == JobState.RUNNING.value, JobRow.lease_until < clock.now())


def _is_due(stage: Stage) -> ColumnElement[bool]:
    return and_(
        JobRow.stage == stage.value,
        JobRow.state.in_(LIVE),
        JobRow.dispatch_due <= clock.now(),
        JobRow.lease_until.is_(None),
        JobRow.leader_id.is_(None),
    )


def _due_ids(session: Session, pool: Pool, stage: Stage, limit: int) -> list[str]:
    query = select(JobRow.id).where(_is_due(stage), is_welcome(pool.name))
    if "*" not in pool.models:
        query = query.where(JobRow.model.in_(pool.models))
    query = query.order_by(JobRow.priority.desc(), JobRow.created_at, JobRow.id)
    return list(session.scalars(query.limit(limit).with_for_update(skip_locked=True)))


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
