"""When what has failed again and again is left alone for a while, and how it is tried again."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class BreakerState(StrEnum):
    """`closed`: all is well; `open`: left alone; `half_open`: one try is made, which decides."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True)
class Breaker:
    """What is known of one thing that may fail: failures in a row, and until when to leave it."""

    name: str
    failures: int
    until: datetime

    def state(self, now: datetime) -> BreakerState:
        """Never `closed`: a thing that is well has no breaker to tell of."""
        return BreakerState.OPEN if now < self.until else BreakerState.HALF_OPEN


@dataclass(frozen=True)
class BreakerRule:
    """`failures` in a row open it for `first_s` seconds, twice as long after each more.

    It never stays open for longer than `longest_s`: what fails is tried for ever.
    """

    failures: int
    first_s: float
    longest_s: float

    def pause(self, failures: int) -> timedelta:
        """How long after the last of so many failures in a row nothing is tried."""
        beyond = failures - self.failures
        if beyond < 0:
            return timedelta()
        return timedelta(seconds=min(self.first_s * 2 ** min(beyond, 30), self.longest_s))
