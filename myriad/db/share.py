"""Whose turn it is: due jobs of a stage, by priority, and in fair shares among callers."""

import random
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from heapq import heapify, heappop, heappush
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Integer, Select, and_, bindparam, func, or_, select
from sqlalchemy.orm import Session

from myriad import clock
from myriad.db.distinct import each_value_or_none
from myriad.db.tables import LIVE, ApiKeyRow, JobRow, UtcDateTime
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
    model: str
    priority: int
    created_at: datetime
    cost: float
    traceparent: str | None


class FairShare:
    """Chooses among the jobs that are `wanted`, which are of one stage: first things first.

    Priority goes before all. Among equals the next job is of the caller who has the
    least work under way, in megapixel-steps, this round's included; so a thousand jobs
    of one caller hold another's first up for a moment only. A caller's own jobs go by
    age. Those of a key that has as many under way as its `max_running` stay back.

    `wanted` may have parameters (`bindparam`): statements are made once, and take
    longer to put together than to run.
    """

    def __init__(self, wanted: ColumnElement[bool]) -> None:
        of_state = and_(JobRow.state == bindparam("state"), wanted)
        self._callers = each_value_or_none(JobRow.api_key_id, of_state)
        self._first_of_key = _first(and_(of_state, JobRow.api_key_id == bindparam("caller")))
        self._first_of_nobody = _first(and_(of_state, JobRow.api_key_id.is_(None)))

    def choose(self, session: Session, terms: Mapping[str, Any], limit: int) -> list[Due]:
        """At most `limit` jobs; `terms` are the values of the parameters of `wanted`.

        Reads some `limit` rows of each caller who waits and sorts no more than those.
        """
        lines = self._lines(session, terms, limit)
        spare = _room(session, lines)
        held_back = {
            caller: deque(_fitting(line, spare.get(caller))) for caller, line in lines.items()
        }
        busy = _work_under_way(session) if len(held_back) > 1 else Work(float)
        return list(islice(_in_turn(held_back, busy), limit))

    def _lines(
        self, session: Session, terms: Mapping[str, Any], limit: int
    ) -> dict[str | None, list[Due]]:
        """The first jobs of each caller who waits, in the caller's own order."""
        lines: dict[str | None, list[Due]] = {}
        for state in LIVE:
            values = {**terms, "state": state, "most": limit}
            callers = list(session.scalars(self._callers, values))
            if len(callers) > _MOST_CALLERS:
                callers = _dice.sample(callers, _MOST_CALLERS)
            for caller in callers:
                first = self._first_of_nobody if caller is None else self._first_of_key
                rows = session.execute(first, {**values, "caller": caller})
                lines.setdefault(caller, []).extend(Due(*row) for row in rows)
        for line in lines.values():
            line.sort(key=lambda job: (-job.priority, job.created_at, job.id))
        return lines


def has_several_callers(session: Session) -> bool:
    """Whether the farm has more than one API key: then a long queue would be unfair."""
    return len(session.scalars(_TWO_KEYS, {"now": clock.now()}).all()) > 1


def _first(wanted: ColumnElement[bool]) -> Select[str, str, str, int, datetime, float, str | None]:
    """In the order of `ix_jobs_share`, so that no more than these rows are read."""
    return (
        select(
            JobRow.id,
            JobRow.state,
            JobRow.model,
            JobRow.priority,
            JobRow.created_at,
            JobRow.cost,
            JobRow.traceparent,
        )
        .where(wanted)
        # PostgreSQL takes no column that is NULL for a fixed one: so it must be told.
        .order_by(JobRow.api_key_id, JobRow.priority.desc(), JobRow.created_at)
        .limit(bindparam("most", type_=Integer))
    )


def _room(session: Session, callers: Iterable[str | None]) -> dict[str | None, int]:
    """How many more jobs of each caller with a `max_running` may begin."""
    keys = [caller for caller in callers if caller is not None]
    if not keys:
        return {}
    rows = session.execute(_LIMITS, {"keys": keys})
    most = {key: int(limits.get("max_running", 0)) for key, limits in rows}
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
    rows = session.execute(_BUSY)
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


_TWO_KEYS = (
    select(ApiKeyRow.id)
    .where(
        ApiKeyRow.revoked_at.is_(None),
        or_(
            ApiKeyRow.expires_at.is_(None),
            ApiKeyRow.expires_at > bindparam("now", type_=UtcDateTime()),
        ),
    )
    .limit(2)
)
_LIMITS = select(ApiKeyRow.id, ApiKeyRow.limits).where(
    ApiKeyRow.id.in_(bindparam("keys", expanding=True))
)
_BUSY = (
    select(JobRow.api_key_id, func.sum(JobRow.cost))
    .where(JobRow.state == JobState.RUNNING.value, JobRow.lease_until.is_not(None))
    .group_by(JobRow.api_key_id)
)
