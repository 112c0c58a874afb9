"""The SQL tables: the truth about every job."""

from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from myriad.job import LIVE_STATES

LIVE = tuple(state.value for state in LIVE_STATES)
"""`state` of jobs that have not ended, as the column holds it."""

ID = String(32)
NAME = String(64)
DIGEST = String(64)


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC in Python; SQLite, which has no zones, stores it naive."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it so
        datetime: UtcDateTime,
        dict[str, Any]: JSON,
        list[str]: JSON,
        list[dict[str, Any]]: JSON,
    }


class ApiKeyRow(Base):
    """A caller. Only the SHA-256 of the key is kept."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    name: Mapped[str] = mapped_column(NAME)
    key_hash: Mapped[str] = mapped_column(DIGEST, unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    # After a rotation the key before is good until `old_expires_at`.
    old_key_hash: Mapped[str | None] = mapped_column(DIGEST)
    old_expires_at: Mapped[datetime | None]
    scopes: Mapped[list[str]] = mapped_column(
        default=lambda: ["read", "write"], server_default=text("""'["read", "write"]'""")
    )
    # The key's own limits; what is left out is the farm's setting.
    limits: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=text("'{}'"))

    __table_args__ = (Index("ix_api_keys_old_key_hash", "old_key_hash"),)


class JobRow(Base):
    """One user request. The row is the queue: a broker message is only a hint at it."""

    __tablename__ = "jobs"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    api_key_id: Mapped[str | None] = mapped_column(ForeignKey("api_keys.id"))
    state: Mapped[str] = mapped_column(String(16))
    stage: Mapped[str] = mapped_column(String(16))
    model: Mapped[str] = mapped_column(NAME)
    params: Mapped[dict[str, Any]]
    priority: Mapped[int] = mapped_column(default=0)
    batch_id: Mapped[str | None] = mapped_column(ID)
    # Megapixel-steps: megapixels x denoising steps x images x frames.
    cost: Mapped[float] = mapped_column(default=0.0, server_default=text("0"))
    # The interface it came through: native, openai, automatic1111 ….
    door: Mapped[str] = mapped_column(String(16), default="native", server_default="native")
    # W3C trace context of the request that made it.
    traceparent: Mapped[str | None] = mapped_column(NAME)
    # "metadata" is taken by SQLAlchemy; the column keeps the API's word.
    labels: Mapped[dict[str, Any]] = mapped_column("metadata", JSON, default=dict)

    # Caching: `flight_key` is held, uniquely, only while this job leads a run others may join.
    cache: Mapped[str] = mapped_column(String(8))
    exact_key: Mapped[str] = mapped_column(DIGEST)
    any_seed_key: Mapped[str] = mapped_column(DIGEST)
    flight_key: Mapped[str | None] = mapped_column(DIGEST, unique=True)
    leader_id: Mapped[str | None] = mapped_column(ForeignKey("jobs.id"))

    # The protocol: who holds it, until when, and the fencing token.
    attempt: Mapped[int] = mapped_column(default=0)
    tries: Mapped[int] = mapped_column(default=0)
    rewinds: Mapped[int] = mapped_column(default=0)
    lease_owner: Mapped[str | None] = mapped_column(String(128))
    lease_until: Mapped[datetime | None]
    dispatch_due: Mapped[datetime]
    # Where each finished stage left its output, by stage.
    artifact_keys: Mapped[dict[str, Any]] = mapped_column(default=dict)

    deadline_at: Mapped[datetime | None]
    # What was done to make it fit or run, in the order it was done.
    notes: Mapped[list[str]] = mapped_column(default=list, server_default=text("'[]'"))
    # A pool that ran out of memory over it.
    avoid_pool: Mapped[str | None] = mapped_column(NAME)

    error_code: Mapped[str | None] = mapped_column(NAME)
    error_message: Mapped[str | None] = mapped_column(Text)
    error_field: Mapped[str | None] = mapped_column(NAME)
    webhook: Mapped[str | None] = mapped_column(Text)
    webhook_events_filter: Mapped[list[str]] = mapped_column(default=list)
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]

    __table_args__ = (
        Index("ix_jobs_due", "stage", "state", "priority", "created_at"),
        Index("ix_jobs_lease", "state", "lease_until"),
        Index("ix_jobs_deadline", "state", "deadline_at"),
        Index("ix_jobs_exact", "exact_key"),
        Index("ix_jobs_any_seed", "any_seed_key"),
        Index("ix_jobs_leader", "leader_id"),
        Index("ix_jobs_page", "created_at", "id"),
        Index("ix_jobs_batch", "batch_id", "state"),
        Index("ix_jobs_completed", "completed_at"),
        Index("ix_jobs_key", "api_key_id", "state"),
    )


_IS_LIVE = text("state IN ('queued', 'running')")
# Small, and enough to count them by: their wide rows need not be read.
Index(
    "ix_jobs_live",
    JobRow.stage,
    JobRow.model,
    JobRow.leader_id,
    JobRow.lease_owner,
    JobRow.created_at,
    sqlite_where=_IS_LIVE,
    postgresql_where=_IS_LIVE,
)
Index(
    "ix_jobs_share",
    JobRow.stage,
    JobRow.state,
    JobRow.api_key_id,
    JobRow.priority.desc(),
    JobRow.created_at,
)


class ImageRow(Base):
    """One finished picture or video of a job; several jobs may share the stored bytes."""

    __tablename__ = "images"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    index: Mapped[int] = mapped_column(primary_key=True)
    storage_key: Mapped[str] = mapped_column(String(255))
    thumbnail_key: Mapped[str | None] = mapped_column(String(255))
    sha256: Mapped[str] = mapped_column(DIGEST)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    content_type: Mapped[str] = mapped_column(NAME)
    seed: Mapped[int] = mapped_column(BigInteger)
    width: Mapped[int]
    height: Mapped[int]
    num_frames: Mapped[int] = mapped_column(default=1, server_default=text("1"))
    fps: Mapped[int | None]
    # The safety checker took it out: the stored picture is a blank one.
    flagged: Mapped[bool] = mapped_column(default=False, server_default=false())

    __table_args__ = (
        Index("ix_images_storage", "storage_key"),
        Index("ix_images_thumbnail", "thumbnail_key"),
    )


class InputRow(Base):
    """A picture a caller handed in. The stored bytes are one for all who have it."""

    __tablename__ = "inputs"

    scope: Mapped[str] = mapped_column(ID, primary_key=True)
    digest: Mapped[str] = mapped_column(DIGEST, primary_key=True)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    width: Mapped[int]
    height: Mapped[int]
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]

    __table_args__ = (Index("ix_inputs_digest", "digest"),)


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

    __table_args__ = (UniqueConstraint("job_id", "kind"),)


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


class IdempotencyKeyRow(Base):
    """Binds a caller's Idempotency-Key to the job its first request made."""

    __tablename__ = "idempotency_keys"

    scope: Mapped[str] = mapped_column(ID, primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    request_hash: Mapped[str] = mapped_column(DIGEST)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]


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


class UsageRow(Base):
    """What a caller asked for on one day (UTC); kept though its jobs are deleted."""

    __tablename__ = "usage"

    scope: Mapped[str] = mapped_column(ID, primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    jobs: Mapped[int] = mapped_column(default=0)
    cost: Mapped[float] = mapped_column(default=0.0)


class BatchRow(Base):
    """Many jobs asked for at once. How far it is, is counted from its jobs."""

    __tablename__ = "batches"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    api_key_id: Mapped[str | None] = mapped_column(ForeignKey("api_keys.id"))
    total: Mapped[int]
    labels: Mapped[dict[str, Any]] = mapped_column("metadata", JSON, default=dict)
    webhook: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]
    completed_at: Mapped[datetime | None]
    canceled_at: Mapped[datetime | None]

    __table_args__ = (Index("ix_batches_page", "api_key_id", "created_at"),)


class OptionRow(Base):
    """Something a caller has set for itself, as the model that AUTOMATIC1111's options choose."""

    __tablename__ = "options"

    scope: Mapped[str] = mapped_column(ID, primary_key=True)
    name: Mapped[str] = mapped_column(NAME, primary_key=True)
    value: Mapped[Any] = mapped_column(JSON)
