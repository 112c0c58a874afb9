"""A stage that ran out of memory in one pool is left to the others."""

from collections.abc import Callable, Collection

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from myriad import clock
from myriad.db import outcome
from myriad.db.database import Database
from myriad.db.tables import LIVE, JobRow, StageRunRow
from myriad.errors import MyriadError, OutOfMemory
from myriad.job import JobState, Stage


def leave_to_others(
    session: Session, job: JobRow, error: MyriadError, pool: str, others: Collection[str]
) -> str:
    """Queue the job for one of `others` that has not failed too, else end it; says which.

    Its tries start anew: another pool's memory is another question.
    """
    left = sorted(set(others) - _pools_that_failed(session, job))
    if not left:
        outcome.fail(session, job, error, clock.now())
        return f"{error.code} in every pool, {pool} the last"
    outcome.keep_error(job, error)
    job.avoid_pool, job.tries, job.state = pool, 0, JobState.QUEUED.value
    job.lease_owner = job.lease_until = None
    job.dispatch_due = clock.now()
    return f"{error.code} in pool {pool}: left to {', '.join(left)}"


def welcome_again(db: Database, others: Callable[[str, Stage, str], Collection[str]]) -> None:
    """Let jobs back into the pool they avoid where nobody else is left to take them.

    `others(pool, stage, model)` names the live pools that could.
    """
    query = select(JobRow).where(
        JobRow.avoid_pool.is_not(None), JobRow.state.in_(LIVE), JobRow.lease_until.is_(None)
    )
    with db.read() as session:
        stranded = [
            job.id
            for job in session.scalars(query)
            if not set(others(job.avoid_pool or "", Stage(job.stage), job.model))
            - _pools_that_failed(session, job)
        ]
    if stranded:
        with db.write() as session:
            session.execute(update(JobRow).where(JobRow.id.in_(stranded)).values(avoid_pool=None))


def _pools_that_failed(session: Session, job: JobRow) -> set[str]:
    query = select(StageRunRow.pool).where(
        StageRunRow.job_id == job.id,
        StageRunRow.stage == job.stage,
        StageRunRow.outcome == OutOfMemory.code,
    )
    return set(session.scalars(query))
