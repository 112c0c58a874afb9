"""The one clock: aware UTC."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

_offset_file: Path | None = None


def now() -> datetime:
    """This moment, aware, in UTC."""
    moment = datetime.now(UTC)
    return moment if _offset_file is None else moment + _read_offset(_offset_file)


def after(seconds: float) -> datetime:
    """The moment that many seconds from now."""
    return now() + timedelta(seconds=seconds)


def follow(offset_file: Path | None) -> None:
    """Be off by as many seconds as the file says, at every look: for tests of the farm itself."""
    global _offset_file
    _offset_file = offset_file


def _read_offset(path: Path) -> timedelta:
    return timedelta(seconds=float(path.read_text() or 0))
