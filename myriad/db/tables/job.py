"""Jobs, their pictures and batches."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    ForeignKey,
    Index,
    String,
    Text,
    false,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from myriad.db.tables.base import DIGEST, ID, NAME, Base


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
        # Each answer from the cache is one more row of the same key.
        Index("ix_jobs_exact_state", "exact_key", "state", "completed_at"),
        Index("ix_jobs_any_seed_state", "any_seed_key", "state", "completed_at"),
        Index("ix_jobs_leader", "leader_id"),
        Index("ix_jobs_page", "created_at", "id"),
        Index("ix_jobs_batch", "batch_id", "state"),
        Index("ix_jobs_completed", "completed_at"),
        Index("ix_jobs_key_leader", "api_key_id", "state", "leader_id"),
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


class IdempotencyKeyRow(Base):
    """Binds a caller's Idempotency-Key to the job its first request made."""

    __tablename__ = "idempotency_keys"

    scope: Mapped[str] = mapped_column(ID, primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    request_hash: Mapped[str] = mapped_column(DIGEST)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]

    __table_args__ = (
        Index("ix_idempotency_keys_job", "job_id"),
        Index("ix_idempotency_keys_expires", "expires_at"),
    )
