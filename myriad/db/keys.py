"""API keys: 256 random bits, shown once; only their SHA-256 is kept."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select

from myriad import clock
from myriad.db.database import Database
from myriad.db.tables import ApiKeyRow
from myriad.errors import NotFound

PREFIX = "mk_"


@dataclass(frozen=True)
class ApiKey:
    """A caller as the doors know it."""

    id: str
    name: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


def create_key(db: Database, name: str, *, expires_at: datetime | None = None) -> tuple[str, str]:
    """A new key: its id, and the key itself, which cannot be shown again."""
    key = PREFIX + secrets.token_urlsafe(32)
    key_id = secrets.token_hex(16)
    with db.write() as session:
        session.add(
            ApiKeyRow(
                id=key_id,
                name=name,
                key_hash=_digest(key),
                created_at=clock.now(),
                expires_at=expires_at,
            )
        )
    return key_id, key


def find_key(db: Database, key: str) -> ApiKey | None:
    """The caller whose valid key this is. Looked up by hash, so timing tells nothing."""
    query = select(ApiKeyRow).where(
        ApiKeyRow.key_hash == _digest(key),
        ApiKeyRow.revoked_at.is_(None),
        or_(ApiKeyRow.expires_at.is_(None), ApiKeyRow.expires_at > clock.now()),
    )
    with db.read() as session:
        row = session.scalar(query)
        return _api_key(row) if row else None


def any_key(db: Database) -> bool:
    """Whether the farm ever had a key: then callers need one, even if all were revoked."""
    query = select(ApiKeyRow.id).limit(1)
    with db.read() as session:
        return session.scalar(query) is not None


def list_keys(db: Database) -> list[ApiKey]:
    """Every key ever made, oldest first."""
    with db.read() as session:
        return [
            _api_key(row)
            for row in session.scalars(select(ApiKeyRow).order_by(ApiKeyRow.created_at))
        ]


def revoke_key(db: Database, key_id: str) -> None:
    """Make the key worthless from now on. Raises NotFound."""
    with db.write() as session:
        row = session.get(ApiKeyRow, key_id)
        if row is None:
            raise NotFound(f"no key {key_id}")
        row.revoked_at = row.revoked_at or clock.now()


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _api_key(row: ApiKeyRow) -> ApiKey:
    return ApiKey(
        id=row.id,
        name=row.name,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )
