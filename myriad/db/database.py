"""One database, SQLite or PostgreSQL, behind two verbs: read and write."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from myriad.db.outage import reason_of
from myriad.db.patience import PatientConnection
from myriad.errors import DatabaseUnavailable

# WAL lets readers go on beside the one writer. NORMAL outlives a killed process;
# only a power cut can take the last commits (docs/decisions/0002).
_SQLITE_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=NORMAL",
    "foreign_keys=ON",
    # What is deleted is overwritten, not only let go.
    "secure_delete=ON",
)
_CONNECT_TIMEOUT_S = 5
_SILENCE_S = 2


@dataclass(frozen=True)
class DatabaseLimits:
    """How much of the database one process may take, and how long it waits for it."""

    pool_size: int = 5
    """Connections that stay open."""
    pool_extra: int = 15
    """Connections opened beyond those while there is much to do."""
    wait_s: float = 10.0
    """Longest wait for a connection of the pool, or for a lock."""
    idle_s: float = 10.0
    """Longest pause within a transaction: a process frozen there holds its rows for no longer."""
    statement_s: float = 15.0
    """Longest statement; a server silent for a moment longer is away."""


class Database:
    """Opens sessions. Raises DatabaseUnavailable whenever the database is away."""

    def __init__(self, url: str, limits: DatabaseLimits | None = None) -> None:
        limits = limits or DatabaseLimits()
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.is_sqlite and self.url.database:
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
        self._engine = create_engine(self.url, **_options(self.url, limits))
        self._writer = self._engine.execution_options(is_write=True)
        if self.is_sqlite:
            event.listen(self._engine, "connect", _prepare_sqlite)
            event.listen(self._engine, "begin", _begin_sqlite)
        else:
            event.listen(self._engine, "do_connect", partial(_connect, limits))

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

    def empty_log(self) -> None:
        """Fold SQLite's write-ahead log into the file; deleted rows would stay in it for long."""
        if self.is_sqlite:
            with _translated(), closing(self._engine.raw_connection()) as connection:
                connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Give every connection back."""
        self._engine.dispose()


def _options(url: URL, limits: DatabaseLimits) -> dict[str, Any]:
    common: dict[str, Any] = {
        "pool_size": limits.pool_size,
        "max_overflow": limits.pool_extra,
        "pool_timeout": limits.wait_s,
    }
    if url.get_backend_name() == "sqlite":
        # The driver must not open transactions by itself: see `_begin_sqlite`.
        return common | {"connect_args": {"isolation_level": None, "timeout": limits.wait_s}}
    return common | {
        "pool_pre_ping": True,
        "connect_args": {
            "connect_timeout": _CONNECT_TIMEOUT_S,
            "application_name": "myriad",
            "options": _postgres_options(limits),
        },
    }


def _postgres_options(limits: DatabaseLimits) -> str:
    milliseconds = {
        "idle_in_transaction_session_timeout": limits.idle_s,
        "lock_timeout": limits.wait_s,
        "statement_timeout": limits.statement_s,
    }
    return " ".join(f"-c {name}={value * 1000:.0f}" for name, value in milliseconds.items())


def _connect(
    limits: DatabaseLimits, _dialect: object, _record: object, args: list[Any], named: Any
) -> PatientConnection:
    connection = PatientConnection.connect(*args, **named)
    connection.patience_s = limits.statement_s + _SILENCE_S
    return connection


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
    except (DBAPIError, PoolTimeout) as error:
        reason = reason_of(error)
        if reason is None:
            raise
        raise DatabaseUnavailable(reason) from error
