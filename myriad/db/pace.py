"""How fast the farm does its work, from the jobs that ended lately."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select

from myriad import clock
from myriad.db.database import Database
from myriad.db.tables import JobRow, StageRunRow
from myriad.job import JobState, Stage

Span = tuple[datetime, datetime]

_LATELY = timedelta(minutes=5)
_SAMPLE = 64
_FEWEST = 5
"""Ends that tell a pace; with fewer seen lately it is not known."""

# Written so that SQLite, which keeps no statistics, does not look it up in an index: nearly
# every job that ever was is alike in it.
HAS_OWN_RUN = func.coalesce(JobRow.leader_id, "") == ""


@dataclass(frozen=True)
class Pace:
    """How fast work is done: jobs that end per second, and what one costs in the mean.

    Costs are in megapixel-steps, so that a film counts for more than a thumbnail.
    """

    jobs_per_s: float
    mean_cost: float

    def seconds(self, cost: float) -> float:
        """How long that much work takes the workers together."""
        return cost / (self.jobs_per_s * self.mean_cost)


def finish_pace(db: Database, models: Collection[str]) -> Pace | None:
    """How fast jobs of `models` ended well while there were any; None: too few lately.

    Idle time does not count, so the pace of a farm that had little to do is that
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
    ended = select(JobRow.created_at, decodes.c.finished_at, JobRow.cost).join(
        decodes, JobRow.id == decodes.c.job_id
    )
    # The oldest of those that were begun: if nothing ends any more, the pace must fall.
    under_way = select(func.min(JobRow.created_at)).where(
        JobRow.state == JobState.RUNNING.value,
        HAS_OWN_RUN,
        JobRow.model.in_(models),
    )
    with db.read() as session:
        rows = [(created, end, cost) for created, end, cost in session.execute(ended)]
        oldest = session.scalar(under_way)
    if len(rows) < _FEWEST:
        return None
    rate = _rate_per_s([(created, end) for created, end, _ in rows], oldest)
    mean_cost = sum(cost for _, _, cost in rows) / len(rows)
    return Pace(rate, mean_cost or 1.0) if rate else None


def _rate_per_s(spans: list[Span], oldest: datetime | None) -> float | None:
    """Ends per second in which at least one of the jobs was there."""
    ends = len(spans) - 1
    # Counted from the first end on: before it, others ended that are not in the sample.
    start = min(end for _, end in spans)
    if oldest is not None:
        spans = [*spans, (oldest, clock.now())]
    busy_s = _covered_s((max(begin, start), end) for begin, end in spans if end > start)
    return ends / busy_s if busy_s > 0 else None


def _covered_s(spans: Iterable[Span]) -> float:
    """Seconds that lie in at least one of the spans."""
    covered, until = timedelta(), None
    for begin, end in sorted(spans):
        covered += max(timedelta(), end - (begin if until is None else max(begin, until)))
        until = end if until is None else max(until, end)
    return covered.total_seconds()
