"""Writing down what is done, however long the database is away."""

import time
from collections.abc import Callable
from time import monotonic
from typing import TypeVar

import structlog

from myriad.errors import DatabaseUnavailable

Result = TypeVar("Result")

_PAUSE_S = 1.0
_LEAVING_S = 10.0

_log = structlog.get_logger(__name__)


def insist(
    write: Callable[[], Result], *, on_wait: Callable[[], None], is_leaving: Callable[[], bool]
) -> Result:
    """`write()`, again each second until the database answers; `on_wait` is called at each pause.

    Minutes of work hang on one commit, and while the database is away nobody else
    can take the lease over. A process that is leaving has ten seconds: then this
    raises DatabaseUnavailable.
    """
    began = monotonic()
    while True:
        try:
            return write()
        except DatabaseUnavailable as error:
            if is_leaving() and monotonic() - began > _LEAVING_S:
                raise
            _log.warning("commit_put_off", error=error.message, waited_s=round(monotonic() - began))
            on_wait()
            time.sleep(_PAUSE_S)
