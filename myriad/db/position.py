"""How many jobs go before one that waits."""

from sqlalchemy import ColumnElement, and_, func, select, tuple_
from sqlalchemy.orm import Session

from myriad.db.tables import ApiKeyRow, JobRow
from myriad.job import JobState

_Which = ColumnElement[bool]


def queue_position(session: Session, job: JobRow) -> int | None:
    """Jobs that go first, None unless it is queued itself.

    They are all that are more urgent, the caller's own that are older, and of each other
    caller's at most as many as of those: among equals callers take turns (`myriad.db.share`).
    What a job costs and what a caller has under way is left out, so with several callers it
    is an estimate. A job that joined another's run has that one's place.
    """
    if job.state != JobState.QUEUED.value:
        return None
    work = session.get(JobRow, job.leader_id) if job.leader_id else job
    if work is None:
        return 0
    waits = and_(
        JobRow.stage == work.stage,
        JobRow.state == JobState.QUEUED.value,
        JobRow.leader_id.is_(None),
    )
    equal = and_(waits, JobRow.priority == work.priority)
    is_older = tuple_(JobRow.created_at, JobRow.id) < (work.created_at, work.id)
    urgent = _count(session, and_(waits, JobRow.priority > work.priority))
    own = _count(session, and_(equal, JobRow.api_key_id == work.api_key_id, is_older))
    return urgent + own + (_of_others(session, equal, work.api_key_id, own) if own else 0)


def _of_others(session: Session, which: _Which, caller: str | None, most: int) -> int:
    """At most so many of each other caller's jobs, and no more rows are read."""
    line = select(JobRow.id).where(which, JobRow.api_key_id == ApiKeyRow.id).limit(most)
    length = select(func.count()).select_from(line.correlate(ApiKeyRow).subquery())
    of_keys = select(func.sum(length.scalar_subquery())).where(ApiKeyRow.id != caller)
    count = int(session.scalar(of_keys) or 0)
    if caller is not None:  # some may wait since before the first key
        count += _count(session, and_(which, JobRow.api_key_id.is_(None)), most)
    return count


def _count(session: Session, which: _Which, most: int | None = None) -> int:
    line = select(JobRow.id).where(which).limit(most).subquery()
    return session.scalar(select(func.count()).select_from(line)) or 0
