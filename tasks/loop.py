"""A process that does one thing again and again until it is told to stop."""

import signal
from collections.abc import Callable
from pathlib import Path
from threading import Event

import structlog

from myriad.errors import MyriadError

_log = structlog.get_logger(__name__)


def stop_on_signals() -> Event:
    """An event that SIGTERM and SIGINT set."""
    stop = Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    return stop


def pulse_path(home: Path, name: str) -> Path:
    """The file that the loop of that name touches at every round, for `tasks.health` to see."""
    return home / "pulse" / name


def repeat(work: Callable[[], bool], *, interval_s: float, stop: Event, pulse: Path) -> None:
    """Call `work` until `stop`, pausing `interval_s` whenever it found nothing to do.

    What Myriad names as an error (a database that is away) is logged and tried
    again; anything else ends the process, for the supervisor to see.
    """
    while not stop.is_set():
        _beat(pulse)
        try:
            is_busy = work()
        except MyriadError as error:
            _log.warning("put_off", error=error.message, code=error.code)
            is_busy = False
        if not is_busy:
            stop.wait(interval_s)


def _beat(pulse: Path) -> None:
    try:
        pulse.parent.mkdir(parents=True, exist_ok=True)
        pulse.touch()
    except OSError as error:  # a full disk is no reason to stop working
        _log.warning("no_pulse", error=str(error))
