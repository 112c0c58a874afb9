"""Idempotency keys: a caller's key leads to the job that its first request made."""

from datetime import datetime

from sqlalchemy import delete, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from myriad import clock
from myriad.db.database import Database
from myriad.db.tables import IdempotencyKeyRow
from myriad.errors import Conflict, IdempotencyMismatch

# How long a second request waits for the first to be taken in (docs/decisions/0015).
_WAIT = "3s"
_LOCK_NOT_AVAILABLE = "55P03"


def find_replay(db: Database, *, scope: str, key: str, request_hash: str) -> str | None:
    """The job that the caller's `key` is bound to, None for a new one.

    Raises IdempotencyMismatch if it was bound by another body.
    """
    with db.read() as session:
        return bound_job(session, scope=scope, key=key, request_hash=request_hash)


def job_under_key(db: Database, key: str, *, scope: str) -> str | None:
    """The same, whatever the body was: for looking, where the key is the job's name."""
    query = select(IdempotencyKeyRow.job_id).where(
        IdempotencyKeyRow.scope == scope,
        IdempotencyKeyRow.key == key,
        IdempotencyKeyRow.expires_at > clock.now(),
    )
    with db.read() as session:
        return session.scalar(query)


def bound_job(session: Session, *, scope: str, key: str, request_hash: str) -> str | None:
    """As `find_replay`, within a transaction."""
    if not request_hash:
        raise ValueError("without the request's hash, any body would pass for the first")
    bound = session.get(IdempotencyKeyRow, (scope, key))
    if bound is None or bound.expires_at <= clock.now():
        return None
    if bound.request_hash != request_hash:
        raise IdempotencyMismatch(
            "this Idempotency-Key was used with another body", field="Idempotency-Key"
        )
    return bound.job_id


def bind(session: Session, row: IdempotencyKeyRow, now: datetime) -> None:
    """Insert the row, over one that has expired. IntegrityError: another request was first.

    While that request is still in its transaction this one waits. Raises Conflict if
    that takes too long.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text(f"SET LOCAL lock_timeout = '{_WAIT}'"))
    expired = delete(IdempotencyKeyRow).where(
        IdempotencyKeyRow.scope == row.scope,
        IdempotencyKeyRow.key == row.key,
        IdempotencyKeyRow.expires_at <= now,
    )
    try:
        session.execute(expired)
        session.add(row)
        session.flush()
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
            raise
        raise Conflict(
            "the first request with this Idempotency-Key is still being taken in; try again",
            field="Idempotency-Key",
        ) from error


def unbind(session: Session, *, scope: str, key: str) -> None:
    """Forget what the key led to, if anything."""
    session.execute(
        delete(IdempotencyKeyRow).where(
            IdempotencyKeyRow.scope == scope, IdempotencyKeyRow.key == key
        )
    )
