"""What happened to jobs, who is told of it, and who works."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from myriad.db.tables.base import ID, NAME, Base

SETTLED = ("delivered", "gone", "given_up")
"""`state` of deliveries that will not be tried again; `next_attempt_at` is then when that was."""


class StageRunRow(Base):
    """One try at one stage: the measured cost table later planning stands on."""

    __tablename__ = "stage_runs"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True)
    stage: Mapped[str] = mapped_column(String(16))
    model: Mapped[str] = mapped_column(NAME)
    pool: Mapped[str] = mapped_column(NAME)
    worker: Mapped[str] = mapped_column(String(128))
    device: Mapped[str] = mapped_column(NAME)
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    outcome: Mapped[str] = mapped_column(String(24), default="running")

    __table_args__ = (
        Index("ix_stage_runs_cost", "stage", "model", "finished_at"),
        Index("ix_stage_runs_outcome", "outcome", "finished_at"),
    )


class EventRow(Base):
    """Something that happened to a job; a job has at most one event of each kind."""

    __tablename__ = "events"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime]

    __table_args__ = (
        UniqueConstraint("job_id", "kind"),
        Index("ix_events_created", "created_at"),
    )


class WebhookDeliveryRow(Base):
    """One event owed to one address. `id` is the `webhook-id` of every try."""

    __tablename__ = "webhook_deliveries"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"))
    kind: Mapped[str] = mapped_column(String(16))
    sequence: Mapped[int]
    # The batch it tells of; `job_id` is then the job that ended last.
    batch_id: Mapped[str | None] = mapped_column(ID)
    url: Mapped[str] = mapped_column(Text)
    host: Mapped[str | None] = mapped_column(String(255))
    state: Mapped[str] = mapped_column(String(16), default="pending")
    tries: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime]
    lease_until: Mapped[datetime | None]
    last_status: Mapped[int | None]
    last_error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]
    delivered_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("job_id", "kind"),
        Index("ix_webhook_deliveries_due", "state", "next_attempt_at"),
        Index("ix_webhook_deliveries_host", "state", "host", "next_attempt_at"),
    )


class WorkerRow(Base):
    """A worker process that has reported lately: its pool, slots and resident models."""

    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(String(128), primary_key=True)
    pool: Mapped[str] = mapped_column(NAME)
    device: Mapped[str] = mapped_column(NAME)
    slots: Mapped[int]
    models: Mapped[list[dict[str, Any]]]
    # What it measured of itself, for /metrics.
    figures: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=text("'{}'"))
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]
