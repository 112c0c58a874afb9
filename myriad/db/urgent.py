"""Which waiting jobs a worker may take out of turn, and which pool may take a job at all."""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Select,
    and_,
    bindparam,
    func,
    or_,
    select,
    true,
)
from sqlalchemy.orm import Session, aliased

from myriad import clock
from myriad.claimant import Claimant
from myriad.db.tables import LIVE, ApiKeyRow, JobRow, StageRunRow
from myriad.errors import OutOfMemory
from myriad.job import JobState, Stage

PREEMPTED = "preempted"
"""`outcome` of a stage run that made way for a more urgent job."""

_Named = aliased(JobRow)
_UNTROUBLED = (JobState.SUCCEEDED.value, PREEMPTED)


@dataclass(frozen=True)
class Urgent:
    """A job that waits, and its priority."""

    job_id: str
    stage: Stage
    priority: int


def most_urgent(session: Session, by: Claimant, above: int | str) -> Urgent | None:
    """The job `by` should take first of those above a priority, or above that of a job by id.

    The oldest among equals. One look at `ix_jobs_due`, which is mostly empty there.
    """
    query = urgent_query(by, is_named=isinstance(above, str))
    found = session.execute(query, {"above": above, "now": clock.now()}).first()
    return Urgent(found.id, Stage(found.stage), found.priority) if found else None


@lru_cache(maxsize=64)
def urgent_query(by: Claimant, is_named: bool) -> Select[str, str, int]:
    """(id, stage, priority), for `above`, a priority or with `is_named` a job's id, and `now`.

    Built once a worker: it is asked at each stage, and takes longer to build than to run.
    """
    above: ColumnElement[int] = bindparam("above")
    if is_named:
        above = select(_Named.priority).where(_Named.id == bindparam("above")).scalar_subquery()
    return (
        select(JobRow.id, JobRow.stage, JobRow.priority)
        .where(may_take(by, bindparam("now", type_=JobRow.dispatch_due.type)))
        .where(JobRow.priority > above)
        .order_by(JobRow.priority.desc(), JobRow.created_at, JobRow.id)
        .limit(1)
    )


def may_take(by: Claimant, now: BindParameter[datetime]) -> ColumnElement[bool]:
    """Jobs that `by` could begin this moment, whether or not their own hint has come.

    A job with an error is left to its own hint: it waits for its next try, or is
    a suspect (docs/decisions/0003).
    """
    return and_(
        JobRow.stage.in_([stage.value for stage in by.stages]),
        JobRow.state.in_(LIVE),
        # Written so that SQLite, which keeps no statistics, does not look these up
        # in an index: nearly every waiting job is alike in them.
        JobRow.lease_owner.is_(None),
        func.coalesce(JobRow.leader_id, "") == "",
        JobRow.error_code.is_(None),
        true() if "*" in by.models else JobRow.model.in_(by.models),
        ~is_pausing(now),
        is_welcome(by.pool),
        ~_is_rationed(),
    )


def _is_rationed() -> ColumnElement[bool]:
    """Jobs not begun of keys with a `max_running`: dispatch counts them, so they need a hint."""
    rationed = select(ApiKeyRow.id).where(
        ApiKeyRow.id == JobRow.api_key_id,
        ApiKeyRow.limits["max_running"].as_string().is_not(None),
    )
    return and_(JobRow.state == JobState.QUEUED.value, rationed.exists())


def is_pausing(now: datetime | BindParameter[datetime]) -> ColumnElement[bool]:
    """Jobs put off until `dispatch_due`, as while a store is away.

    A hint moves `dispatch_due` too, but follows a stage that went well, or none.
    """
    troubled = select(StageRunRow.attempt).where(
        StageRunRow.job_id == JobRow.id,
        StageRunRow.attempt == JobRow.attempt,
        StageRunRow.outcome.not_in(_UNTROUBLED),
    )
    return and_(JobRow.dispatch_due > now, troubled.exists())


def is_welcome(pool: str | BindParameter[str]) -> ColumnElement[bool]:
    """Jobs whose stage has not run out of memory in `pool`, or may go nowhere else.

    `avoid_pool` is set while some other pool may do better; the stage runs know
    every pool that has failed, and are looked at for such jobs alone.
    """
    failed_here = select(StageRunRow.attempt).where(
        StageRunRow.job_id == JobRow.id,
        StageRunRow.stage == JobRow.stage,
        StageRunRow.pool == pool,
        # Written so that SQLite looks at the job's own runs, not at all that ended so.
        func.coalesce(StageRunRow.outcome, "") == OutOfMemory.code,
    )
    return or_(
        JobRow.avoid_pool.is_(None),
        and_(JobRow.avoid_pool != pool, ~failed_here.exists()),
    )
