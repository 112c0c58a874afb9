"""Which of SQL's errors mean that the database is away, and why."""

from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

# InternalError is PostgreSQL's for a session it ended or a server that only reads.
_AWAY = (OperationalError, InterfaceError, InternalError)
# PostgreSQL's codes, and SQLite's words, for a table or a column that is not there.
_OTHER_SCHEMA = ("42P01", "42703", "no such table", "no such column", "has no column named")
_DISK_FULL = ("53100", "disk is full")


def reason_of(error: DBAPIError | PoolTimeout) -> str | None:
    """What to tell whoever needed the database; None if the statement itself was wrong."""
    if isinstance(error, PoolTimeout):
        return "the database has no connection free"
    told = f"{getattr(error.orig, 'sqlstate', '')} {error.orig}"
    if any(sign in told for sign in _OTHER_SCHEMA):
        return "the database is not of this release: run `myriad migrate`"
    if not isinstance(error, _AWAY) and not error.connection_invalidated:
        return None
    if any(sign in told for sign in _DISK_FULL):
        return "the database's disk is full"
    return "the database does not answer"
