"""Whose turn it is: due jobs of a stage, by priority, and in fair shares among callers."""

import random
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from datetime import datetime
from heapq import heapify, heappop, heappush
from itertools import islice
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from myriad import clock
from myriad.db.database import Database
from myriad.db.distinct import distinct_values
from myriad.db.tables import LIVE, ApiKeyRow, JobRow
from myriad.job import JobState

_MOST_CALLERS = 64
"""Callers looked at in one round; of more, as many are drawn by lot."""

Work = defaultdict[str | None, float]
"""Megapixel-steps under way, by caller."""

_dice = random.Random()  # noqa: S311 - no secret


class Due(NamedTuple):
    """A job that may be published."""

    id: str
    state: str
    priority: int
    created_at: datetime
    cost: float
    traceparent: str | None


def fair_share(session: Session, wanted: ColumnElement[bool], limit: int) -> list[Due]:
    """At most `limit` jobs of those `wanted`, which are of one stage, first things first.

    Priority goes before all. Among equals the next job is of the caller who has the
    least work under way, in megapixel-steps, this round's included; so a thousand jobs
    of one caller hold another's first up for a moment only. A caller's own jobs go by
    age. Those of a key that has as many under way as its `max_running` stay back.

    Reads some `limit` rows of each caller who waits and sorts no more than those.
    """
    lines = _lines(session, wanted, limit)
    spare = _room(session, lines)
    held_back = {caller: deque(_fitting(line, spare.get(caller))) for caller, line in lines.items()}
    busy = _work_under_way(session) if len(held_back) > 1 else Work(float)
    return list(islice(_in_turn(held_back, busy), limit))


def has_several_callers(db: Database) -> bool:
    """Whether the farm has more than one API key: then a long queue would be unfair."""
    with db.read() as session:
        now = clock.now()
        is_good = and_(
            ApiKeyRow.revoked_at.is_(None),
            or_(ApiKeyRow.expires_at.is_(None), ApiKeyRow.expires_at > now),
        )
        return len(session.scalars(select(ApiKeyRow.id).where(is_good).limit(2)).all()) > 1


def _lines(
    session: Session, wanted: ColumnElement[bool], limit: int
) -> dict[str | None, list[Due]]:
    """The first jobs of each caller who waits, in the caller's own order."""
    lines: dict[str | None, list[Due]] = {}
    for state in LIVE:
        of_state = and_(JobRow.state == state, wanted)
        callers = distinct_values(session, JobRow.api_key_id, of_state)
        if len(callers) > _MOST_CALLERS:
            callers = _dice.sample(callers, _MOST_CALLERS)
        for caller in callers:
            lines.setdefault(caller, []).extend(_first(session, of_state, caller, limit))
    for line in lines.values():
        line.sort(key=lambda job: (-job.priority, job.created_at, job.id))
    return lines


def _first(
    session: Session, wanted: ColumnElement[bool], caller: str | None, limit: int
) -> Iterable[Due]:
    """In the order of `ix_jobs_share`, so that no more than these rows are read."""
    query = (
        select(
            JobRow.id,
            JobRow.state,
            JobRow.priority,
            JobRow.created_at,
            JobRow.cost,
            JobRow.traceparent,
        )
        .where(wanted, JobRow.api_key_id == caller)
        # PostgreSQL takes no column that is NULL for a fixed one: so it must be told.
        .order_by(JobRow.api_key_id, JobRow.priority.desc(), JobRow.created_at)
        .limit(limit)
    )
    return (Due(*row) for row in session.execute(query))


def _room(session: Session, callers: Iterable[str | None]) -> dict[str | None, int]:
    """How many more jobs of each caller with a `max_running` may begin."""
    keys = [caller for caller in callers if caller is not None]
    if not keys:
        return {}
    query = select(ApiKeyRow.id, ApiKeyRow.limits).where(ApiKeyRow.id.in_(keys))
    most = {key: int(limits.get("max_running", 0)) for key, limits in session.execute(query)}
    return {key: limit - _under_way(session, key) for key, limit in most.items() if limit}


def _under_way(session: Session, key: str) -> int:
    """Jobs of the key that have begun, or of which a worker has been told."""
    begun = JobRow.state == JobState.RUNNING.value
    told = and_(JobRow.state == JobState.QUEUED.value, JobRow.dispatch_due > clock.now())
    query = select(func.count()).where(
        JobRow.api_key_id == key, JobRow.leader_id.is_(None), or_(begun, told)
    )
    return session.scalar(query) or 0


def _fitting(line: Iterable[Due], room: int | None) -> Iterator[Due]:
    """The line without those that would be more at once than may be; what has begun goes on."""
    for job in line:
        if job.state == JobState.RUNNING.value or room is None:
            yield job
        elif room > 0:
            room -= 1
            yield job


def _work_under_way(session: Session) -> Work:
    """Megapixel-steps of the jobs that workers hold, by caller."""
    held = and_(JobRow.state == JobState.RUNNING.value, JobRow.lease_until.is_not(None))
    query = select(JobRow.api_key_id, func.sum(JobRow.cost)).where(held)
    rows = session.execute(query.group_by(JobRow.api_key_id))
    return Work(float, {caller: work for caller, work in rows})  # noqa: C416 - no tuples to mypy


def _in_turn(lines: dict[str | None, deque[Due]], busy: Work) -> Iterator[Due]:
    """Jobs of all lines, the most urgent and then the least served caller's first."""
    heap = [_place(line[0], busy[caller], caller) for caller, line in lines.items() if line]
    heapify(heap)
    while heap:
        *_, caller = heappop(heap)
        job = lines[caller].popleft()
        busy[caller] += job.cost
        if lines[caller]:
            heappush(heap, _place(lines[caller][0], busy[caller], caller))
        yield job


def _place(
    job: Due, work: float, caller: str | None
) -> tuple[int, float, datetime, str, str | None]:
    return -job.priority, work, job.created_at, job.id, caller
