"""Wiping what was deleted out of the logs that stores keep for their own safety."""

from time import monotonic

import structlog
from redis.exceptions import RedisError

from myriad.errors import Unavailable
from myriad.farm import Farm

_EVERY_S = 6 * 3600.0

_log = structlog.get_logger(__name__)


class Scrub:
    """SQLite's write-ahead log and Redis' append-only file, every six hours.

    PostgreSQL vacuums by itself.
    """

    def __init__(self, farm: Farm) -> None:
        self._farm = farm
        self._due = monotonic() + _EVERY_S

    def run(self) -> None:
        """Do it if it is due."""
        if monotonic() >= self._due:
            self._due = monotonic() + _EVERY_S
            self.now()

    def now(self) -> None:
        """Best effort: the next time will do."""
        try:
            self._farm.db.empty_log()
            self._farm.redis.bgrewriteaof()
        except (Unavailable, RedisError) as error:
            _log.info("not_scrubbed", error=str(error))
