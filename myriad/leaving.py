"""Whether this process has been told to stop and only ends what it has begun."""

from threading import Event

_told = Event()


def leave() -> None:
    """From now on it is about to stop."""
    _told.set()


def is_leaving() -> bool:
    """Whether it is about to stop: alive, and no longer ready."""
    return _told.is_set()
