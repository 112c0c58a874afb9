"""Models that are loaded at start rather than at their first job."""

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from functools import partial
from threading import Thread
from typing import Any

import structlog

from workers.downloads import Absent, Downloads
from workers.error import short

# Begins to load the model of a name.
Load = Callable[[str], "Future[Any]"]

_log = structlog.get_logger(__name__)


def begin_to_preload(names: Iterable[str], load: Load, downloads: Downloads) -> None:
    """Load these in their order, but each that must be downloaded when it is here.

    Returns at once; failures are logged.
    """
    for name in names:
        load(name).add_done_callback(partial(_after, name, load, downloads))


def _after(name: str, load: Load, downloads: Downloads, loading: "Future[Any]") -> None:
    """On the engine's thread, which waits for nothing."""
    error = loading.exception()
    if isinstance(error, Absent):
        Thread(
            target=_load_later, args=(name, load, downloads), name="preload", daemon=True
        ).start()
    else:
        _tell(name, error)


def _load_later(name: str, load: Load, downloads: Downloads) -> None:
    try:
        downloads.supply(lambda: load(name).result())
    except Exception as error:
        _tell(name, error)
    else:
        _tell(name, None)


def _tell(name: str, error: BaseException | None) -> None:
    if error is None:
        _log.info("preloaded", model=name)
    else:
        _log.warning("not_preloaded", model=name, error=short(error))
