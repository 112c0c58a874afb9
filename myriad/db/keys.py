"""API keys: 256 random bits, shown once; only their SHA-256 is kept."""

import hashlib
import secrets
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from myriad import clock
from myriad.db.database import Database
from myriad.db.tables import ApiKeyRow
from myriad.errors import Conflict, NotFound
from myriad.key import DEFAULT_SCOPES, ApiKey, Scope, check_limits, check_name

PREFIX = "mk_"


def create_key(
    db: Database,
    name: str,
    *,
    scopes: Collection[str] = DEFAULT_SCOPES,
    expires_at: datetime | None = None,
    limits: Mapping[str, float] | None = None,
) -> tuple[str, str]:
    """A new key: its id, and the key itself, which cannot be shown again.

    Raises InvalidRequest for a name or a limit that cannot be.
    """
    key, key_id = _new_secret(), secrets.token_hex(16)
    row = ApiKeyRow(
        id=key_id,
        name=check_name(name),
        key_hash=digest_of(key),
        created_at=clock.now(),
        expires_at=expires_at,
        scopes=sorted(Scope(scope).value for scope in scopes),
        limits=check_limits(limits or {}),
    )
    with db.write() as session:
        session.add(row)
    return key_id, key


def digest_of(key: str) -> str:
    """What is kept of a key. 256 random bits need no slow hash: nobody can try them out."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def find_key(db: Database, digest: str) -> ApiKey | None:
    """The valid key of this digest, or None.

    One look-up by hash, whatever is asked: how long it takes tells nothing of how
    near a guess is. Asked at every request, so that a key that is revoked opens
    nothing from that moment on.
    """
    now = clock.now()
    query = select(ApiKeyRow).where(
        or_(ApiKeyRow.key_hash == digest, _was_hash(digest, now)),
        ApiKeyRow.revoked_at.is_(None),
        or_(ApiKeyRow.expires_at.is_(None), ApiKeyRow.expires_at > now),
    )
    with db.read() as session:
        row = session.scalar(query)
        return _api_key(row) if row else None


def any_key(db: Database) -> bool:
    """Whether the farm ever had a key: then callers need one, even if all were revoked."""
    query = select(ApiKeyRow.id).limit(1)
    with db.read() as session:
        return session.scalar(query) is not None


def get_key(db: Database, key_id: str) -> ApiKey:
    """The key of this id, valid or not. Raises NotFound."""
    with db.read() as session:
        return _api_key(_row(session, key_id))


def is_good(db: Database, key_id: str) -> bool:
    """Whether the key opens anything now: for what goes on after its request was let in."""
    try:
        return get_key(db, key_id).state(clock.now()) == "good"
    except NotFound:
        return False


def list_keys(db: Database) -> list[ApiKey]:
    """Every key ever made, oldest first."""
    with db.read() as session:
        return [
            _api_key(row)
            for row in session.scalars(select(ApiKeyRow).order_by(ApiKeyRow.created_at))
        ]


def rotate_key(db: Database, key_id: str, *, grace: timedelta) -> str:
    """A new secret for the key; the one before is good for `grace` more, the one before that ends.

    Raises NotFound, and Conflict for a key that is no longer valid.
    """
    key, now = _new_secret(), clock.now()
    with db.write() as session:
        row = _row(session, key_id)
        session.refresh(row, with_for_update=True)  # two rotations at once: both secrets count
        if (state := _api_key(row).state(now)) != "good":
            raise Conflict(f"key {key_id} is {state}")
        row.old_key_hash, row.old_expires_at = row.key_hash, now + grace
        row.key_hash = digest_of(key)
    return key


def revoke_key(db: Database, key_id: str) -> None:
    """Make the key worthless from now on. Raises NotFound."""
    with db.write() as session:
        row = _row(session, key_id)
        row.revoked_at = row.revoked_at or clock.now()


def note_use(db: Database, key_id: str) -> None:
    """Write down that the key was used just now, unless another process has in the last minute."""
    now = clock.now()
    with db.write() as session:
        row = session.get(ApiKeyRow, key_id)
        if row is not None and _api_key(row).is_use_due(now):
            row.last_used_at = now


def _was_hash(digest: str, now: datetime) -> ColumnElement[bool]:
    return and_(ApiKeyRow.old_key_hash == digest, ApiKeyRow.old_expires_at > now)


def _new_secret() -> str:
    return PREFIX + secrets.token_urlsafe(32)


def _row(session: Session, key_id: str) -> ApiKeyRow:
    row = session.get(ApiKeyRow, key_id)
    if row is None:
        raise NotFound(f"no key {key_id}")
    return row


def _api_key(row: ApiKeyRow) -> ApiKey:
    return ApiKey(
        id=row.id,
        name=row.name,
        # A release before or after ours may know others.
        scopes=frozenset(Scope(scope) for scope in row.scopes if scope in list(Scope)),
        limits=row.limits,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        old_expires_at=row.old_expires_at,
        last_used_at=row.last_used_at,
    )
