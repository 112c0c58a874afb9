"""Which job a worker takes rather than load another model for the one that its hint names."""

from collections.abc import Collection
from datetime import datetime
from functools import lru_cache

from sqlalchemy import Select, bindparam, func, select
from sqlalchemy.orm import Session, aliased

from myriad import clock
from myriad.claimant import Claimant
from myriad.db.tables import JobRow
from myriad.db.urgent import Urgent, may_take
from myriad.db.waiting import is_waiting
from myriad.job import Stage

_MOST_LOOKED_AT = 20
"""So that a backlog of jobs which it may not take costs no more than these."""

_Named = aliased(JobRow)
_Old = aliased(JobRow)


def resident_first(
    session: Session, by: Claimant, named_id: str, stage: Stage, held: Collection[str]
) -> Urgent | None:
    """The oldest job of the models `held` that waits at the named one's stage, as urgent as it.

    None: take the named one; that too if it has a deadline. One look into `ix_jobs_live`
    for each model, at the twenty oldest, and none if nothing is `held`.
    """
    if not held or stage not in by.stages:
        return None
    values = {"named": named_id, "stage": stage.value, "now": clock.now()}
    rows = [session.execute(_oldest(by), {**values, "held": model}).first() for model in held]
    found = min(filter(None, rows), key=lambda row: row.created_at, default=None)
    return Urgent(found.id, stage, found.priority) if found else None


@lru_cache(maxsize=64)
def _oldest(by: Claimant) -> Select[str, int, datetime]:
    named = select(_Named.priority).where(
        _Named.id == bindparam("named"), _Named.deadline_at.is_(None)
    )
    waiting = (
        select(_Old.id)
        .where(
            _Old.stage == bindparam("stage"),
            _Old.model == bindparam("held"),
            is_waiting(_Old),
        )
        # In the order of the index, of which PostgreSQL does not see that it begins with NULLs.
        .order_by(_Old.leader_id, _Old.lease_owner, _Old.created_at)
        .limit(_MOST_LOOKED_AT)
        .subquery()
    )
    return (
        select(JobRow.id, JobRow.priority, JobRow.created_at)
        .join(waiting, waiting.c.id == JobRow.id)
        .where(
            may_take(by, bindparam("now", type_=JobRow.dispatch_due.type)),
            # Written so that SQLite looks the jobs up by their ids.
            func.coalesce(JobRow.priority, 0) == named.scalar_subquery(),
        )
        .order_by(JobRow.created_at)
        .limit(1)
    )
