"""What dispatch and the janitor look for: jobs due for a hint, and leases that ran out."""

from collections.abc import Collection
from dataclasses import dataclass

import structlog
from sqlalchemy import ColumnElement, and_, bindparam, func, or_, select, true, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from myriad import clock
from myriad.db.commit import RetryRule, retry_or_fail
from myriad.db.database import Database
from myriad.db.share import FairShare
from myriad.db.tables import LIVE, JobRow, StageRunRow, UtcDateTime
from myriad.db.urgent import is_welcome
from myriad.errors import WorkerLost
from myriad.job import JobState, Stage
from myriad.pool import Pool

RECLAIM_BATCH = 200

_ANY_PRIORITY = -(2**31)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Hint:
    """What a broker message says: this stage of this job, of that model, may be claimed.

    `traceparent` is for those who watch the broker; the row has it too.
    """

    job_id: str
    stage: Stage
    model: str
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
    above: int = _ANY_PRIORITY,
) -> list[Hint]:
    """Jobs whose `stage` this pool may be told of now, at most `limit`, in fair shares.

    Jobs of the models `without` are left out; `only` leaves out all but one, `above` all
    that are not of higher priority. Which jobs is found out by reading alone; their next
    due time moves `redispatch_s` ahead in one transaction with a second look at each: if
    the message is lost, the job is simply due again.
    """
    if limit <= 0:
        return []
    models = pool.models if only is None else (only,)
    share = _OF_ANY_MODEL if "*" in models else _OF_MODELS
    terms = {
        "stage": stage.value,
        "now": clock.now(),
        "pool": pool.name,
        "models": models,
        "without": list(without),
        "above": above,
    }
    with db.read() as session:
        chosen = share.choose(session, terms, limit)
    if not chosen:
        return []
    with db.write() as session:
        taken = _still_due(session, stage, [job.id for job in chosen])
        session.execute(_PUT_OFF, {"ids": list(taken), "due": clock.after(redispatch_s)})
    return [Hint(job.id, stage, job.model, job.traceparent) for job in chosen if job.id in taken]


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


def _may_be_told(of_models: ColumnElement[bool]) -> ColumnElement[bool]:
    """Jobs that are due for a hint, by the terms that `take_due` gives."""
    return and_(
        JobRow.stage == bindparam("stage"),
        JobRow.dispatch_due <= bindparam("now", type_=UtcDateTime()),
        JobRow.lease_until.is_(None),
        JobRow.leader_id.is_(None),
        is_welcome(bindparam("pool")),
        of_models,
        JobRow.model.not_in(bindparam("without", expanding=True)),
        # Written so that SQLite does not leave the index of shares for that of priorities.
        func.coalesce(JobRow.priority, 0) > bindparam("above"),
    )


_OF_ANY_MODEL = FairShare(_may_be_told(true()))
_OF_MODELS = FairShare(_may_be_told(JobRow.model.in_(bindparam("models", expanding=True))))


def _still_due(session: Session, stage: Stage, ids: list[str]) -> set[str]:
    """Those that are, now locked; compared here, so that they are looked up by id alone."""
    return {
        job_id
        for job_id, at, state, lease_until, leader_id in session.execute(
            _AGAIN, {"ids": ids, "now": clock.now()}
        )
        if at == stage.value and state in LIVE and lease_until is None and leader_id is None
    }


_IS_NAMED = JobRow.id.in_(bindparam("ids", expanding=True))
_AGAIN = (
    select(JobRow.id, JobRow.stage, JobRow.state, JobRow.lease_until, JobRow.leader_id)
    .where(_IS_NAMED, JobRow.dispatch_due <= bindparam("now", type_=UtcDateTime()))
    .with_for_update(skip_locked=True)
)
_PUT_OFF = (
    update(JobRow)
    .where(_IS_NAMED)
    .values(dispatch_due=bindparam("due", type_=UtcDateTime()))
    .execution_options(synchronize_session=False)
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
