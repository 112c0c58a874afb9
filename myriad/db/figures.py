"""What the farm is busy with, in figures from SQL: depth, age and seconds of work."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, func, literal, or_, select
from sqlalchemy.orm import Session

from myriad import clock
from myriad.db.database import Database
from myriad.db.tables import LIVE, JobRow, StageRunRow, WebhookDeliveryRow
from myriad.job import Stage

_RECENT_RUNS = 100


@dataclass(frozen=True)
class StageFigure:
    """One stage of one model: jobs waiting and held, the oldest wait, and a job's mean cost."""

    stage: Stage
    model: str
    waiting: int
    held: int
    oldest_s: float
    mean_stage_s: float | None

    @property
    def seconds_of_work(self) -> float:
        """How long one worker, one job at a time, would need for what waits."""
        return self.waiting * (self.mean_stage_s or 0.0)


def stage_figures(db: Database) -> list[StageFigure]:
    """Figures of every (stage, model) that has live jobs of its own (not joined ones)."""
    held = case((JobRow.lease_owner.is_not(None), 1), else_=0)
    query = (
        select(
            JobRow.stage,
            JobRow.model,
            func.count(),
            func.sum(held),
            func.min(JobRow.created_at),
        )
        .where(
            # All stages there are: so that SQLite takes the index that has all it needs.
            JobRow.stage.in_([stage.value for stage in Stage]),
            # The states as constants: only then is it plain that a partial index will do.
            JobRow.state.in_([literal(state, literal_execute=True) for state in LIVE]),
            func.coalesce(JobRow.leader_id, "") == "",
        )
        .group_by(JobRow.stage, JobRow.model)
    )
    now = clock.now()
    with db.read() as session:
        return [
            StageFigure(
                stage=Stage(stage),
                model=model,
                waiting=live - taken,
                held=taken,
                oldest_s=(now - oldest).total_seconds(),
                mean_stage_s=_mean_seconds(session, stage, model),
            )
            for stage, model, live, taken, oldest in session.execute(query)
        ]


def job_counts(db: Database) -> dict[str, int]:
    """Number of jobs by state."""
    with db.read() as session:
        rows = session.execute(select(JobRow.state, func.count()).group_by(JobRow.state))
        return {state: count for state, count in rows}  # noqa: C416 - rows are not tuples to mypy


@dataclass(frozen=True)
class DeliveryFigure:
    """Webhook deliveries still owed: how many, how many of them failed before, and two ages.

    `oldest_s` counts from the event; `overdue_s` is how late the next try is.
    """

    pending: int
    retrying: int
    oldest_s: float
    overdue_s: float


def pending_deliveries(db: Database) -> DeliveryFigure:
    """What the senders have before them."""
    has_failed = or_(
        WebhookDeliveryRow.last_error.is_not(None), WebhookDeliveryRow.last_status.is_not(None)
    )
    query = select(
        func.count(),
        func.sum(case((has_failed, 1), else_=0)),
        func.min(WebhookDeliveryRow.created_at),
        func.min(WebhookDeliveryRow.next_attempt_at),
    ).where(WebhookDeliveryRow.state == "pending")
    now = clock.now()
    with db.read() as session:
        pending, retrying, oldest, due = session.execute(query).one()
        return DeliveryFigure(pending, retrying or 0, _age_s(oldest, now), _age_s(due, now))


def _mean_seconds(session: Session, stage: str, model: str) -> float | None:
    query = (
        select(StageRunRow.started_at, StageRunRow.finished_at)
        .where(
            StageRunRow.stage == stage,
            StageRunRow.model == model,
            StageRunRow.outcome == "succeeded",
        )
        .order_by(StageRunRow.finished_at.desc())
        .limit(_RECENT_RUNS)
    )
    seconds = [
        (finished - started).total_seconds()
        for started, finished in session.execute(query)
        if finished
    ]
    return _mean(seconds)


def _age_s(moment: datetime | None, now: datetime) -> float:
    return max(0.0, (now - moment).total_seconds()) if moment else 0.0


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
