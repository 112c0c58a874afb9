"""Counts requests: in Redis for all web processes together, in memory while Redis is away."""

from time import monotonic, time
from typing import cast

import structlog
from limits import RateLimitItem
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import FixedWindowRateLimiter
from redis import Redis
from redis.exceptions import RedisError

_TIMEOUT_S = 0.5
_ASK_AGAIN_S = 10.0
_PREFIX = "rate"
_REFUSALS = "refusals"

_log = structlog.get_logger(__name__)


class Meter:
    """Fixed windows: one round trip to count, and when a window ends is known exactly.

    A Redis that is away or frozen costs one request half a second every ten; all
    others are counted in this process meanwhile, each process for itself.
    """

    def __init__(self, redis_url: str) -> None:
        self._redis = Redis.from_url(
            redis_url, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S, retry=None
        )
        storage = RedisStorage(
            redis_url, connection_pool=self._redis.connection_pool, key_prefix=_PREFIX
        )
        self._shared = FixedWindowRateLimiter(storage)
        self._own = FixedWindowRateLimiter(MemoryStorage())
        self._away_until = 0.0

    def hit(self, rate: RateLimitItem, *who: str) -> float | None:
        """Count a request of `who`; if it is one too many, the seconds until the window ends."""
        if self._may_ask():
            try:
                wait_s = _hit(self._shared, rate, who)
                self._away_until = 0.0
                return wait_s
            except RedisError as error:
                self._leave(error)
        return _hit(self._own, rate, who)

    def note_refusal(self, code: str) -> None:
        """Count an answer that a limit refused; lost while Redis is away."""
        if self._may_ask():
            try:
                self._redis.hincrby(_REFUSALS, code, 1)
            except RedisError as error:
                self._leave(error)

    def _may_ask(self) -> bool:
        now = monotonic()
        if now < self._away_until:
            return False
        if self._away_until:
            self._away_until = now + _ASK_AGAIN_S  # the others need not find out too
        return True

    def _leave(self, error: RedisError) -> None:
        if not self._away_until:
            _log.warning("rates_counted_alone", error=str(error))
        self._away_until = monotonic() + _ASK_AGAIN_S


def refusal_counts(redis: Redis) -> dict[str, int]:
    """What limits refused, by error code, since Redis was last emptied. Raises RedisError."""
    counts = cast("dict[bytes, bytes]", redis.hgetall(_REFUSALS))
    return {code.decode(): int(count) for code, count in sorted(counts.items())}


def _hit(
    limiter: FixedWindowRateLimiter, rate: RateLimitItem, who: tuple[str, ...]
) -> float | None:
    if limiter.hit(rate, *who):
        return None
    return max(1.0, limiter.get_window_stats(rate, *who).reset_time - time())
