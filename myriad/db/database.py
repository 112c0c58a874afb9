"""One database, SQLite or PostgreSQL, behind two verbs: read and write."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from myriad.errors import DatabaseUnavailable

# WAL lets readers go on beside the one writer. NORMAL outlives a killed process;
# only a power cut can take the last commits (docs/decisions/0002).
_SQLITE_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=NORMAL",
    "busy_timeout=10000",
    "foreign_keys=ON",
)
_POOL_TIMEOUT_S = 10
_CONNECT_TIMEOUT_S = 5
# A process frozen in mid-transaction must not hold its rows for longer than a lease.
_POSTGRES_OPTIONS = (
    "-c idle_in_transaction_session_timeout=10s -c lock_timeout=10s -c statement_timeout=30s"
)


class Database:
    """Opens sessions. Raises DatabaseUnavailable whenever the database is away."""

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.is_sqlite and self.url.database:
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
        self._engine = create_engine(self.url, **_options(self.url))
        self._writer = self._engine.execution_options(is_write=True)
        if self.is_sqlite:
            event.listen(self._engine, "connect", _prepare_sqlite)
            event.listen(self._engine, "begin", _begin_sqlite)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session for looking; nothing it changes is kept."""
        with _translated(), Session(self._engine) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One transaction: committed at the end, rolled back on any exception."""
        with _translated(), Session(self._writer) as session, session.begin():
            yield session

    def close(self) -> None:
        """Give every connection back."""
        self._engine.dispose()


def _options(url: URL) -> dict[str, Any]:
    common: dict[str, Any] = {"pool_size": 10, "max_overflow": 20, "pool_timeout": _POOL_TIMEOUT_S}
    if url.get_backend_name() == "sqlite":
        # The driver must not open transactions by itself: see `_begin_sqlite`.
        return common | {"connect_args": {"isolation_level": None}}
    return common | {
        "pool_pre_ping": True,
        "connect_args": {
            "connect_timeout": _CONNECT_TIMEOUT_S,
            "application_name": "myriad",
            "options": _POSTGRES_OPTIONS,
        },
    }


def _prepare_sqlite(connection: DBAPIConnection, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in _SQLITE_PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A deferred BEGIN that later wants to write fails at once when another
    # writer came first; taking the write lock up front waits for it instead.
    is_write = connection.get_execution_options().get("is_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_write else "BEGIN")


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    # InternalError is PostgreSQL's for a session it ended or a server that only reads.
    except (OperationalError, InterfaceError, InternalError, PoolTimeout) as error:
        raise DatabaseUnavailable("the database does not answer") from error
