"""What dispatch and the janitor look for: jobs due for a hint, and leases that ran out."""

from collections.abc import Collection
from dataclasses import dataclass

import structlog
from sqlalchemy import ColumnElement, and_, or_, select, true, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from myriad import clock
from myriad.db.commit import RetryRule, retry_or_fail
from myriad.db.database import Database
from myriad.db.share import fair_share
from myriad.db.tables import LIVE, JobRow, StageRunRow
from myriad.db.urgent import is_welcome
from myriad.errors import WorkerLost
from myriad.job import JobState, Stage
from myriad.pool import Pool

RECLAIM_BATCH = 200

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Hint:
    """What a broker message says: this stage of this job may be claimed.

    `traceparent` is for those who watch the broker; the row has it too.
    """

    job_id: str
    stage: Stage
    traceparent: str | None = None


def take_due(
    db: Database,
    pool: Pool,
    stage: Stage,
    *,
    limit: int,
    redispatch_s: float,
    without: Collection[str] = (),
    only: str | None = None,
) -> list[Hint]:
    """Jobs whose `stage` this pool may be told of now, at most `limit`, in fair shares.

    Jobs of the models `without` are left out; `only` leaves out all but one. Which
    jobs is found out by reading alone; their next due time moves `redispatch_s` ahead
    in one transaction with a second look at each: if the message is lost, the job is
    simply due again.
    """
    if limit <= 0:
        return []
    wanted = and_(_is_due(stage), is_welcome(pool.name), _is_of(pool, without, only))
    with db.read() as session:
        chosen = fair_share(session, wanted, limit)
    if not chosen:
        return []
    with db.write() as session:
        taken = _still_due(session, stage, [job.id for job in chosen])
        due = clock.after(redispatch_s)
        session.execute(update(JobRow).where(JobRow.id.in_(taken)).values(dispatch_due=due))
    return [Hint(job.id, stage, job.traceparent) for job in chosen if job.id in taken]


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


def _still_due(session: Session, stage: Stage, ids: list[str]) -> set[str]:
    """Those that are, now locked; compared here, so that they are looked up by id alone."""
    query = select(
        JobRow.id, JobRow.stage, JobRow.state, JobRow.lease_until, JobRow.leader_id
    ).where(JobRow.id.in_(ids), JobRow.dispatch_due <= clock.now())
    return {
        job_id
        for job_id, at, state, lease_until, leader_id in session.execute(
            query.with_for_update(skip_locked=True)
        )
        if at == stage.value and state in LIVE and lease_until is None and leader_id is None
    }


def _is_of(pool: Pool, without: Collection[str], only: str | None) -> ColumnElement[bool]:
    return and_(
        true() if "*" in pool.models else JobRow.model.in_(pool.models),
        JobRow.model.not_in(without) if without else true(),
        true() if only is None else JobRow.model == only,
    )


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
