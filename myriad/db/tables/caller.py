"""Who asks: API keys, and what each has handed in, used and set."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Index,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from myriad.db.tables.base import DIGEST, ID, NAME, Base


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


class UsageRow(Base):
    """What a caller asked for on one day (UTC); kept though its jobs are deleted."""

    __tablename__ = "usage"

    scope: Mapped[str] = mapped_column(ID, primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    jobs: Mapped[int] = mapped_column(default=0)
    cost: Mapped[float] = mapped_column(default=0.0)


class OptionRow(Base):
    """Something a caller has set for itself, as the model that AUTOMATIC1111's options choose."""

    __tablename__ = "options"

    scope: Mapped[str] = mapped_column(ID, primary_key=True)
    name: Mapped[str] = mapped_column(NAME, primary_key=True)
    value: Mapped[Any] = mapped_column(JSON)
