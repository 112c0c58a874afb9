"""What has been kept long enough: found and deleted in small batches.

Several janitors may be at it at once: each row is locked by whoever deletes it, and
the others pass it by.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, delete, exists, func, select, true, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from myriad import clock
from myriad.db.database import Database
from myriad.db.delete import Remains, named_by_live_jobs, remove_jobs, stored_files
from myriad.db.distinct import each_value
from myriad.db.options import read_option, set_option
from myriad.db.tables import (
    LIVE,
    SETTLED,
    Base,
    BatchRow,
    EventRow,
    IdempotencyKeyRow,
    InputRow,
    JobRow,
    StageRunRow,
    WebhookDeliveryRow,
)

JOBS_AT_ONCE = 25
ROWS_AT_ONCE = 200
_KNOWN_SINCE = "storage_known_since"
_FARM = "farm"  # a scope that is no API key's

_Column = ColumnElement[Any] | InstrumentedAttribute[Any]


def expire_jobs(db: Database, before: datetime) -> Remains:
    """Delete the oldest jobs that ended before that, at most `JOBS_AT_ONCE`.

    Those of which a webhook is still owed, or that an Idempotency-Key stands for, stay.
    """
    # Not as it stands: SQLite, which keeps no statistics, would read all that are pending.
    is_pending = func.coalesce(WebhookDeliveryRow.state, "") == "pending"
    is_owed = exists().where(WebhookDeliveryRow.job_id == JobRow.id, is_pending)
    binds = exists().where(
        IdempotencyKeyRow.job_id == JobRow.id, IdempotencyKeyRow.expires_at > clock.now()
    )
    query = (
        select(JobRow)
        .where(JobRow.completed_at < before, JobRow.state.not_in(LIVE), ~is_owed, ~binds)
        .order_by(JobRow.completed_at)
        .limit(JOBS_AT_ONCE)
    )
    if not _any(db, query):
        return Remains((), (), ())
    with db.write() as session:
        jobs = session.scalars(query.with_for_update(skip_locked=True)).all()
        remains = remove_jobs(session, jobs)
        _drop_empty_batches(session, before)
        return replace(remains, artifacts=())  # those went when the jobs ended


def expire_inputs(db: Database, before: datetime) -> int:
    """Forget inputs not named by any job since then, at most `ROWS_AT_ONCE`; how many."""
    last_used = func.coalesce(InputRow.used_at, InputRow.created_at)
    is_idle = and_(last_used < before, InputRow.created_at < before)
    key = (InputRow.digest, InputRow.scope)
    query = (
        select(*key)
        .where(is_idle)
        .order_by(func.random())  # those that live jobs name must not hide the others
        .limit(ROWS_AT_ONCE)
    )
    with db.read() as session:
        idle = {(digest, scope) for digest, scope in session.execute(query)}
        unused = idle - named_by_live_jobs(session, {scope for _, scope in idle})
    if not unused:
        return 0
    with db.write() as session:
        # A job that has come to name one in between has made it young again.
        still = select(InputRow).where(_are(key, sorted(unused)), is_idle)
        rows = session.scalars(still.with_for_update(skip_locked=True)).all()
        for row in rows:
            session.delete(row)
        return len(rows)


def expire_history(db: Database, before: datetime) -> int:
    """Forget stage runs, settled deliveries and events of what ended before that; how many."""
    with db.read() as session:
        outcomes = session.scalars(each_value(StageRunRow.outcome, true())).all()
    # Told what their index begins with: so it leads to the old rows, and no others are read.
    run_is_old = and_(StageRunRow.outcome.in_(outcomes), StageRunRow.finished_at < before)
    settled_long_ago = and_(
        WebhookDeliveryRow.state.in_(SETTLED), WebhookDeliveryRow.next_attempt_at < before
    )
    has_ended = exists().where(
        JobRow.id == EventRow.job_id, JobRow.completed_at < before, JobRow.state.not_in(LIVE)
    )
    return (
        _drop(db, StageRunRow, run_is_old)
        + _drop(db, WebhookDeliveryRow, settled_long_ago)
        + _drop(db, EventRow, and_(EventRow.created_at < before, has_ended))
    )


def storage_known_since(db: Database) -> datetime:
    """When this database's first job was made, or it first looked; older bytes are not its own.

    So a farm that is started with an empty database by mistake deletes nothing.
    """
    since = read_option(db, _KNOWN_SINCE, scope=_FARM)
    if since is None:
        with db.read() as session:
            oldest = session.scalar(select(func.min(JobRow.created_at)))
        # Some stores tell whole seconds only.
        since = ((oldest or clock.now()) - timedelta(minutes=1)).isoformat()
        set_option(db, _KNOWN_SINCE, since, scope=_FARM)
    return datetime.fromisoformat(since)


def owned_files(db: Database, keys: Collection[str]) -> set[str]:
    """Those of `keys` that a picture of some job is stored under."""
    with db.read() as session:
        return stored_files(session, keys)


def owned_inputs(db: Database, digests: Collection[str]) -> set[str]:
    """Those of `digests` that some caller has."""
    with db.read() as session:
        query = select(InputRow.digest).where(InputRow.digest.in_(digests)).distinct()
        return set(session.scalars(query))


def _drop(db: Database, table: type[Base], is_old: ColumnElement[bool]) -> int:
    """Delete at most `ROWS_AT_ONCE` rows; how many."""
    key = tuple(table.__table__.primary_key)
    some = select(*key).where(is_old).limit(ROWS_AT_ONCE)
    with db.read() as session:
        rows = session.execute(some).all()
    if rows:
        with db.write() as session:
            session.execute(delete(table).where(_are(key, rows)))
    return len(rows)


def _are(key: Sequence[_Column], rows: Sequence[Sequence[Any]]) -> ColumnElement[bool]:
    """Told by the key's first column too: SQLite takes no index for several columns at once."""
    first = key[0].in_({row[0] for row in rows})
    return and_(first, tuple_(*key).in_([tuple(row) for row in rows]))


def _drop_empty_batches(session: Session, before: datetime) -> None:
    is_empty = ~exists().where(JobRow.batch_id == BatchRow.id)
    session.execute(delete(BatchRow).where(BatchRow.created_at < before, is_empty))


def _any(db: Database, query: Select[Any]) -> bool:
    """Looked up first: on SQLite a transaction that may write keeps all others waiting."""
    with db.read() as session:
        return session.execute(query.limit(1)).first() is not None
