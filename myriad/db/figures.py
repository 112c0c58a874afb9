"""What the farm is busy with, in figures from SQL: depth, age and seconds of work."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import case, func, select
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
        .where(JobRow.state.in_(LIVE), JobRow.leader_id.is_(None))
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


def pending_deliveries(db: Database) -> tuple[int, float]:
    """How many webhook deliveries are owed, and for how long the oldest (seconds)."""
    query = select(func.count(), func.min(WebhookDeliveryRow.created_at)).where(
        WebhookDeliveryRow.state == "pending"
    )
    with db.read() as session:
        count, oldest = session.execute(query).one()
        return count, (clock.now() - oldest).total_seconds() if oldest else 0.0


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


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
