"""When a batch is over: found in the transaction that ends the last of its jobs."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from myriad.db.database import Database
from myriad.db.joined import Joined
from myriad.db.outbox import record_batch_end
from myriad.db.tables import LIVE, BatchRow, JobRow

_AT_ONCE = 200


def end_batches(session: Session, ended: Iterable[JobRow | Joined], at: datetime) -> None:
    """Complete those batches of the jobs, which have just ended, that have no live job left.

    In the order of their ids, so that two transactions never wait for each other.
    """
    for batch_id in sorted({job.batch_id for job in ended if job.batch_id}):
        end_batch(session, batch_id, at)


def end_batch(session: Session, batch_id: str, at: datetime) -> None:
    """Complete the batch, with the delivery it owes, if it is there and has no live job left.

    The row is locked first and the jobs are looked at afterwards: of two that end at
    once the later one sees the other's end.
    """
    session.flush()
    batch = session.get(BatchRow, batch_id, with_for_update=True)
    if batch is None or batch.completed_at is not None or _has_live_jobs(session, batch_id):
        return
    batch.completed_at = at
    last = select(JobRow.id).where(JobRow.batch_id == batch_id)
    last_id = session.scalar(last.order_by(JobRow.completed_at.desc(), JobRow.id).limit(1))
    if batch.webhook and last_id is not None:
        record_batch_end(session, batch, last_id, at)


def end_forgotten_batches(db: Database, at: datetime) -> int:
    """Complete batches whose last job was ended by a process that knows none; how many.

    That is one of the release before, while both run.
    """
    live = exists().where(JobRow.batch_id == BatchRow.id, JobRow.state.in_(LIVE))
    query = select(BatchRow.id).where(BatchRow.completed_at.is_(None), ~live).limit(_AT_ONCE)
    with db.read() as session:
        found = session.scalars(query).all()
    for batch_id in found:
        with db.write() as session:
            end_batch(session, batch_id, at)
    return len(found)


def _has_live_jobs(session: Session, batch_id: str) -> bool:
    live = select(JobRow.id).where(JobRow.batch_id == batch_id, JobRow.state.in_(LIVE))
    return session.scalar(live.limit(1)) is not None
