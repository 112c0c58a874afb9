"""What began and what came to an end between two moments, for counters that only grow."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Row, and_, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.sql.elements import ColumnElement

from myriad.db.database import Database
from myriad.db.tables import SETTLED, JobRow, StageRunRow, WebhookDeliveryRow
from myriad.job import Stage


@dataclass(frozen=True)
class Accepted:
    """So many jobs taken in through one door, and how the cache answered them."""

    door: str
    model: str
    cache: str
    count: int


@dataclass(frozen=True)
class JobEnd:
    """One job that ended, `seconds` after it was asked for."""

    state: str
    model: str
    door: str
    error_code: str
    seconds: float


@dataclass(frozen=True)
class StageEnd:
    """One try at a stage that ended, however it did."""

    stage: str
    model: str
    pool: str
    outcome: str
    seconds: float


@dataclass(frozen=True)
class DeliveryEnd:
    """One webhook delivery that will not be tried again, `seconds` after its event."""

    state: str
    seconds: float


@dataclass(frozen=True)
class Ended:
    """All that happened in one span of time."""

    accepted: Sequence[Accepted]
    jobs: Sequence[JobEnd]
    stages: Sequence[StageEnd]
    deliveries: Sequence[DeliveryEnd]


def ended_between(db: Database, since: datetime, until: datetime, models: Collection[str]) -> Ended:
    """What happened after `since`, up to and with `until`; stages of `models` only."""
    with db.read() as session:
        return Ended(
            accepted=_accepted(session, since, until),
            jobs=_jobs(session, since, until),
            stages=_stages(session, since, until, models),
            deliveries=_deliveries(session, since, until),
        )


def _accepted(session: Session, since: datetime, until: datetime) -> list[Accepted]:
    kind = (JobRow.door, JobRow.model, JobRow.cache)
    query = select(*kind, func.count()).where(_within(JobRow.created_at, since, until))
    return [Accepted(*row) for row in session.execute(query.group_by(*kind))]


def _jobs(session: Session, since: datetime, until: datetime) -> list[JobEnd]:
    query = select(
        JobRow.state,
        JobRow.model,
        JobRow.door,
        func.coalesce(JobRow.error_code, ""),
        JobRow.created_at,
        JobRow.completed_at,
    ).where(_within(JobRow.completed_at, since, until))
    return [JobEnd(*row[:4], _seconds(row)) for row in session.execute(query)]


def _stages(
    session: Session, since: datetime, until: datetime, models: Collection[str]
) -> list[StageEnd]:
    query = select(
        StageRunRow.stage,
        StageRunRow.model,
        StageRunRow.pool,
        StageRunRow.outcome,
        StageRunRow.started_at,
        StageRunRow.finished_at,
    ).where(
        # What the index begins with: without them every run that ever was would be read.
        StageRunRow.stage.in_([stage.value for stage in Stage]),
        StageRunRow.model.in_(models),
        _within(StageRunRow.finished_at, since, until),
    )
    return [StageEnd(*row[:4], _seconds(row)) for row in session.execute(query)]


def _deliveries(session: Session, since: datetime, until: datetime) -> list[DeliveryEnd]:
    settled_at = WebhookDeliveryRow.next_attempt_at
    query = select(WebhookDeliveryRow.state, WebhookDeliveryRow.created_at, settled_at).where(
        WebhookDeliveryRow.state.in_(SETTLED), _within(settled_at, since, until)
    )
    return [DeliveryEnd(row[0], _seconds(row)) for row in session.execute(query)]


def _within(
    moment: InstrumentedAttribute[datetime] | InstrumentedAttribute[datetime | None],
    since: datetime,
    until: datetime,
) -> ColumnElement[bool]:
    return and_(moment > since, moment <= until)


def _seconds(row: Row[*tuple[object, ...]]) -> float:
    """From the last column but one to the last."""
    begin, end = row[-2], row[-1]
    assert isinstance(begin, datetime)
    assert isinstance(end, datetime)
    return max(0.0, (end - begin).total_seconds())
