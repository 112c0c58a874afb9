"""Which waiting jobs a worker may take out of turn, and which pool may take a job at all."""

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, true

from myriad import clock
from myriad.claimant import Claimant
from myriad.db.tables import LIVE, ApiKeyRow, JobRow, StageRunRow
from myriad.errors import OutOfMemory
from myriad.job import JobState

PREEMPTED = "preempted"
"""`outcome` of a stage run that made way for a more urgent job."""

_UNTROUBLED = (JobState.SUCCEEDED.value, PREEMPTED)


def most_urgent(by: Claimant, above: ColumnElement[int]) -> Select[str, str, int]:
    """(id, stage, priority) of the job `by` should take first of those above a priority.

    The oldest among equals. One look at `ix_jobs_due`, which is mostly empty there.
    """
    return (
        select(JobRow.id, JobRow.stage, JobRow.priority)
        .where(_may_take(by), JobRow.priority > above)
        .order_by(JobRow.priority.desc(), JobRow.created_at, JobRow.id)
        .limit(1)
    )


def _may_take(by: Claimant) -> ColumnElement[bool]:
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
        ~is_pausing(),
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


def is_pausing() -> ColumnElement[bool]:
    """Jobs put off until `dispatch_due`, as while a store is away.

    A hint moves `dispatch_due` too, but follows a stage that went well, or none.
    """
    troubled = select(StageRunRow.attempt).where(
        StageRunRow.job_id == JobRow.id,
        StageRunRow.attempt == JobRow.attempt,
        StageRunRow.outcome.not_in(_UNTROUBLED),
    )
    return and_(JobRow.dispatch_due > clock.now(), troubled.exists())


def is_welcome(pool: str) -> ColumnElement[bool]:
    """Jobs whose stage has not run out of memory in `pool`, or may go nowhere else.

    `avoid_pool` is set while some other pool may do better; the stage runs know
    every pool that has failed, and are looked at for such jobs alone.
    """
    failed_here = select(StageRunRow.attempt).where(
        StageRunRow.job_id == JobRow.id,
        StageRunRow.stage == JobRow.stage,
        StageRunRow.pool == pool,
        StageRunRow.outcome == OutOfMemory.code,
    )
    return or_(
        JobRow.avoid_pool.is_(None),
        and_(JobRow.avoid_pool != pool, ~failed_here.exists()),
    )
