"""Runs migrations against the database `myriad.db.migrate` names.

One that is killed half way leaves nothing that keeps it from being run again, and of
two at once the second waits. On SQLite all migrations are one transaction; on
PostgreSQL each is one, and a lock is held over them all.
"""

import time
from typing import Any, Literal

from alembic import context
from sqlalchemy import Connection, Engine, create_engine, event, func, make_url, pool, select

from myriad.db.tables import Base, UtcDateTime

_SQLITE_WAIT_S = 60
_LOCK, _LOCK_PAUSE_S = 6_997_001, 0.2


def plain_type(kind: str, item: Any, _context: object) -> str | Literal[False]:
    """Written migrations name SQLAlchemy's own types: ours may change, they may not."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    return False


def open_engine(url: str) -> Engine:
    """SQLite's driver would commit each change of a table by itself: it is told not to."""
    if make_url(url).get_backend_name() != "sqlite":
        return create_engine(url, poolclass=pool.NullPool)
    by_hand = {"isolation_level": None, "timeout": _SQLITE_WAIT_S}
    engine = create_engine(url, poolclass=pool.NullPool, connect_args=by_hand)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def wait_for_turn(connection: Connection) -> None:
    """Until no other process migrates this PostgreSQL; the lock goes with the connection.

    Asked again and again: an index that is built beside writers waits for every
    statement under way, one that waits for the lock included.
    """
    while not connection.scalar(select(func.pg_try_advisory_lock(_LOCK))):
        connection.rollback()
        time.sleep(_LOCK_PAUSE_S)
    connection.rollback()


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


engine = open_engine(context.config.attributes["database_url"])
with engine.connect() as connection:
    is_postgres = connection.dialect.name == "postgresql"
    if is_postgres:
        wait_for_turn(connection)
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        # SQLite alters a table by copying it; PostgreSQL ignores the flag.
        render_as_batch=True,
        render_item=plain_type,
        transactional_ddl=True,
        # An index that is built beside writers ends the transaction it is met in.
        transaction_per_migration=is_postgres,
    )
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
