"""Jobs that wait for another's run: locked and changed together, however many they are."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, select, update
from sqlalchemy.orm import Session

from myriad.db.tables import LIVE, JobRow


class Joined(NamedTuple):
    """What its run's start and end must know of a job that joined it."""

    id: str
    batch_id: str | None
    priority: int
    webhook: str | None
    webhook_events_filter: list[str]
    started_at: datetime | None


def lock_joined(session: Session, leader: JobRow) -> list[Joined]:
    """Live jobs that wait for this one's run, oldest first, locked.

    The leader must be locked already: then none can come or go until the transaction ends.
    """
    query = (
        select(*(getattr(JobRow, name) for name in Joined._fields))
        .where(_has_joined(leader))
        .order_by(JobRow.created_at, JobRow.id)
        .with_for_update()
    )
    return [Joined(*row) for row in session.execute(query)]


def change_joined(session: Session, leader: JobRow, values: Mapping[str, Any]) -> None:
    """Set these columns of all that `lock_joined` told of, in one statement."""
    session.execute(
        update(JobRow)
        .where(_has_joined(leader))
        .values(**values)
        .execution_options(synchronize_session=False)
    )


def _has_joined(leader: JobRow) -> ColumnElement[bool]:
    return and_(JobRow.leader_id == leader.id, JobRow.state.in_(LIVE))
