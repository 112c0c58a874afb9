"""Whether a new job could be done in time: how fast jobs end, and how many come before it."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import floor

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from myriad import clock
from myriad.db.database import Database
from myriad.db.tables import LIVE, JobRow, StageRunRow
from myriad.errors import RateLimited
from myriad.job import JobState, Stage

Span = tuple[datetime, datetime]

_LATELY = timedelta(minutes=5)
_SAMPLE = 64
_FEWEST = 5
"""Ends that tell a rate; with fewer seen lately everybody is let in."""

# Written so that SQLite, which keeps no statistics, does not look it up in an index: nearly
# every job that ever was is alike in it.
_HAS_OWN_RUN = func.coalesce(JobRow.leader_id, "") == ""


@dataclass(frozen=True)
class Limit:
    """A job of one of `models`, which share workers, must be done within `wait_s`."""

    models: Collection[str]
    rate_per_s: float
    wait_s: float

    def check(self, session: Session, priority: int) -> None:
        """Raise RateLimited if too many jobs come before one of this priority.

        Jobs in the farm are the rate at which they leave times the time each
        spends there (Little's law). Looks at no more rows than there may be.
        """
        room = floor(self.rate_per_s * self.wait_s)
        before = (
            select(JobRow.id)
            .where(
                JobRow.stage.in_([stage.value for stage in Stage]),
                JobRow.state.in_(LIVE),
                JobRow.priority >= priority,
                _HAS_OWN_RUN,
                JobRow.model.in_(self.models),
            )
            .limit(max(room, 1))
        )
        count = session.scalar(select(func.count()).select_from(before.subquery())) or 0
        # An idle farm takes any job: no forecast is better than trying.
        if count and count + 1 > room:
            raise RateLimited(f"a new job would wait for more than {self.wait_s:.3g} seconds")


def finish_rate(db: Database, models: Collection[str]) -> float | None:
    """Jobs of `models` that ended well, per second in which there were any; None: too few lately.

    Idle time does not count, so the rate of a farm that had little to do is that
    of few jobs at once, less than it can do. As more are let in, it rises.
    """
    decodes = (
        select(StageRunRow.job_id, StageRunRow.finished_at)
        .where(
            StageRunRow.stage == Stage.DECODE.value,
            StageRunRow.model.in_(models),
            StageRunRow.finished_at >= clock.now() - _LATELY,
            StageRunRow.outcome == JobState.SUCCEEDED.value,
        )
        .order_by(StageRunRow.finished_at.desc())
        .limit(_SAMPLE)
        .subquery()
    )
    ended = select(JobRow.created_at, decodes.c.finished_at).join(
        decodes, JobRow.id == decodes.c.job_id
    )
    # The oldest of those that were begun: if nothing ends any more, the rate must fall.
    under_way = select(func.min(JobRow.created_at)).where(
        JobRow.state == JobState.RUNNING.value,
        _HAS_OWN_RUN,
        JobRow.model.in_(models),
    )
    with db.read() as session:
        spans: list[Span] = [(created, end) for created, end in session.execute(ended)]
        oldest = session.scalar(under_way)
    if len(spans) < _FEWEST:
        return None
    ends = len(spans) - 1
    # Counted from the first end on: before it, others ended that are not in the sample.
    start = min(end for _, end in spans)
    if oldest is not None:
        spans.append((oldest, clock.now()))
    busy_s = _covered_s((max(begin, start), end) for begin, end in spans if end > start)
    return ends / busy_s if busy_s > 0 else None


def _covered_s(spans: Iterable[Span]) -> float:
    """Seconds that lie in at least one of the spans."""
    covered, until = timedelta(), None
    for begin, end in sorted(spans):
        covered += max(timedelta(), end - (begin if until is None else max(begin, until)))
        until = end if until is None else max(until, end)
    return covered.total_seconds()
