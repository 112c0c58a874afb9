"""The one clock: aware UTC."""

from datetime import UTC, datetime, timedelta


def now() -> datetime:
    """This moment, aware, in UTC."""
    return datetime.now(UTC)


def after(seconds: float) -> datetime:
    """The moment that many seconds from now."""
    return now() + timedelta(seconds=seconds)
