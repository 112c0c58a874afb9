"""Finding out whether a running job should make way, and which."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from myriad.claimant import Claimant
from myriad.db.database import Database
from myriad.db.tables import JobRow, StageRunRow
from myriad.db.urgent import PREEMPTED, most_urgent

MOST_PREEMPTIONS = 5
"""A job that has made way this often is left in peace: it pays for a checkpoint each time."""


@dataclass(frozen=True)
class Contest:
    """A waiting job, and the running one of lower priority whose slot it should have."""

    urgent_id: str
    victim_id: str


def find_contest(db: Database, by: Claimant, held: Collection[str]) -> Contest | None:
    """The most urgent job that waits for `by`, against the least urgent it holds.

    None unless the one's priority is higher. Among equals the youngest makes way.
    """
    if not held:
        return None
    with db.read() as session:
        least = session.scalar(select(func.min(JobRow.priority)).where(JobRow.id.in_(held)))
        urgent = None if least is None else most_urgent(session, by, above=least)
        victim = _victim(session, held, urgent.priority) if urgent else None
        return Contest(urgent.job_id, victim) if urgent and victim else None


def _victim(session: Session, held: Collection[str], below: int) -> str | None:
    times = (
        select(func.count())
        .select_from(StageRunRow)
        .where(StageRunRow.job_id == JobRow.id, StageRunRow.outcome == PREEMPTED)
        .scalar_subquery()
    )
    query = (
        select(JobRow.id)
        .where(JobRow.id.in_(held), JobRow.priority < below, times < MOST_PREEMPTIONS)
        .order_by(JobRow.priority, JobRow.created_at.desc(), JobRow.id)
        .limit(1)
    )
    return session.scalar(query)
