"""What waits for a worker, by stage and model: looks at one small index of what has not ended."""

from collections import defaultdict
from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    bindparam,
    func,
    literal,
    select,
    union_all,
)
from sqlalchemy.orm import Session

from myriad import clock
from myriad.db.distinct import each_value
from myriad.db.tables import LIVE, JobRow, UtcDateTime
from myriad.job import Stage


class Line(NamedTuple):
    """Jobs of a model that wait at one stage, and the priority of the most urgent of them."""

    model: str
    length: int
    priority: int


def due_models(session: Session) -> dict[Stage, set[str]]:
    """Models of which a job is due for a hint, by stage.

    One statement, a few looks for each model, however much waits and whoever serves it.
    """
    found: defaultdict[Stage, set[str]] = defaultdict(set)
    for stage, model in session.execute(_DUE, {"now": clock.now()}):
        found[Stage(stage)].add(model)
    return dict(found)


def lines_at(session: Session, stages: Collection[Stage]) -> dict[Stage, list[Line]]:
    """What waits at each of the stages, by model; reads what waits there."""
    found: dict[Stage, list[Line]] = {stage: [] for stage in stages}
    names = [stage.value for stage in stages]
    for stage, model, length, priority in session.execute(_LINES, {"stages": names}):
        found[Stage(stage)].append(Line(model, length, priority))
    return found


def has_above(session: Session, stage: Stage, priority: int) -> bool:
    """Whether a job of higher priority is at that stage, be it waiting or held."""
    return session.scalar(_ABOVE, {"stage": stage.value, "priority": priority}) is not None


def is_waiting(table: type[JobRow] = JobRow) -> ColumnElement[bool]:
    """Jobs of their own that nobody holds, as `ix_jobs_live` has them."""
    # As constants: only then is it plain that a partial index will do.
    states = [literal(state, literal_execute=True) for state in LIVE]
    return and_(table.state.in_(states), table.leader_id.is_(None), table.lease_owner.is_(None))


def _due_at(stage: Stage) -> Select[str, str]:
    waits = and_(JobRow.stage == stage.value, is_waiting())
    models = each_value(JobRow.model, waits).subquery()
    is_due = JobRow.dispatch_due <= bindparam("now", type_=UtcDateTime())
    # In the order of the index, of which PostgreSQL does not see that it begins with NULLs.
    oldest = (
        select(JobRow.id)
        .where(waits, JobRow.model == models.c.value, is_due)
        .order_by(JobRow.leader_id, JobRow.lease_owner, JobRow.created_at)
        .limit(1)
    )
    is_one_due = oldest.correlate(models).scalar_subquery().is_not(None)
    return select(literal(stage.value), models.c.value).where(is_one_due)


# Made once: to put them together takes longer than to run them.
_DUE = union_all(*map(_due_at, Stage))
_LINES = (
    select(JobRow.stage, JobRow.model, func.count(), func.max(JobRow.priority))
    .where(JobRow.stage.in_(bindparam("stages", expanding=True)), is_waiting())
    .group_by(JobRow.stage, JobRow.model)
)
_ABOVE = (
    select(JobRow.priority)
    .where(
        JobRow.stage == bindparam("stage"),
        JobRow.state.in_(LIVE),
        JobRow.priority > bindparam("priority"),
    )
    .limit(1)
)
