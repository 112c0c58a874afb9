"""What each caller has asked for today, and whether one job more is within its limits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import func, literal, or_, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session

from myriad import clock
from myriad.db.database import Database
from myriad.db.tables import LIVE, JobRow, UsageRow
from myriad.errors import QuotaExceeded, TooManyJobs
from myriad.job import CacheOutcome, JobState

_QUEUE_PAUSE_S = 10.0


@dataclass(frozen=True)
class Allowance:
    """What one caller may have waiting, and ask for in a day. 0: no limit."""

    max_queued: int = 0
    megapixel_steps_per_day: float = 0.0


UNLIMITED = Allowance()


@dataclass(frozen=True)
class Usage:
    """What a caller asked for on one day: jobs, and the megapixel-steps of those that ran."""

    scope: str
    day: date
    jobs: int
    cost: float


def charge(session: Session, jobs: Sequence[JobRow], scope: str, allowance: Allowance) -> None:
    """Add new jobs of one caller, which are in the session, to its use of the day.

    An answer from the cache and a shared run cost nothing of the budget, but who waits for
    a shared run is one of those that wait: it ends with all of them in one transaction.
    An answer from the cache is never refused. Whatever is asked for stays charged, also
    if it fails or is canceled.

    The caller's row is locked until the transaction ends, so the next create of the same
    caller sees these jobs: limits hold exactly, however many come at once. It is the last
    thing a create does, so that they wait for each other's commit and no more. Raises
    QuotaExceeded and TooManyJobs.
    """
    runs = [job for job in jobs if job.cache == CacheOutcome.MISS.value]
    cost, at = sum(job.cost for job in runs), jobs[0].created_at
    used = _add(session, scope, at, len(jobs), cost)
    most = allowance.megapixel_steps_per_day
    if runs and most and used > most:
        raise QuotaExceeded(
            f"{_said(jobs)} {cost:.3g} megapixel-steps, and of today's {most:.6g} there are"
            f" {max(most - used + cost, 0.0):.3g} left",
            retry_after_s=_until_midnight_s(at),
        )
    _check_waiting(session, jobs, allowance.max_queued)


def _check_waiting(session: Session, jobs: Sequence[JobRow], most: int) -> None:
    waits = any(job.cache != CacheOutcome.HIT.value for job in jobs)
    if not (most and waits) or _count_waiting(session, jobs[0].api_key_id, most) <= most:
        return
    told = f"{most} of your jobs wait already"
    if len(jobs) > 1:
        told = f"with these {len(jobs)}, more than {most} of your jobs would wait"
    raise TooManyJobs(told, retry_after_s=_QUEUE_PAUSE_S)


def usage_of_day(db: Database, day: date | None = None) -> list[Usage]:
    """Every caller's use of that day (UTC), today if left out."""
    query = select(UsageRow).where(UsageRow.day == (day or clock.now().date()))
    with db.read() as session:
        return [
            Usage(scope=row.scope, day=row.day, jobs=row.jobs, cost=row.cost)
            for row in session.scalars(query.order_by(UsageRow.scope))
        ]


def _said(jobs: Sequence[JobRow]) -> str:
    return "the job takes" if len(jobs) == 1 else f"the {len(jobs)} jobs take"


def _add(session: Session, scope: str, at: datetime, jobs: int, cost: float) -> float:
    """Megapixel-steps of the day, with these."""
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    insert = sqlite_insert if is_sqlite else postgresql_insert
    first = insert(UsageRow).values(
        scope=scope, day=at.astimezone(UTC).date(), jobs=jobs, cost=cost
    )
    added = first.on_conflict_do_update(
        index_elements=[UsageRow.scope, UsageRow.day],
        set_={
            "jobs": UsageRow.jobs + first.excluded.jobs,
            "cost": UsageRow.cost + first.excluded.cost,
        },
    )
    return session.execute(added.returning(UsageRow.cost)).scalar_one()


def _count_waiting(session: Session, caller: str | None, most: int) -> int:
    """The caller's jobs that wait, for a worker or another's run; at most one more than `most`."""
    waiting = (
        # No column of the row: then the index has all there is to read.
        select(literal(1))
        .where(
            JobRow.api_key_id == caller,
            JobRow.state.in_(LIVE),
            or_(JobRow.state == JobState.QUEUED.value, JobRow.leader_id.is_not(None)),
        )
        .limit(most + 1)
    )
    return session.scalar(select(func.count()).select_from(waiting.subquery())) or 0


def _until_midnight_s(now: datetime) -> float:
    tomorrow = now.astimezone(UTC).date() + timedelta(days=1)
    return (datetime.combine(tomorrow, time(), UTC) - now).total_seconds()
