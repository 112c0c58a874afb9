"""Circuit breakers of webhook receivers, in Redis: the same for all senders, seen by /metrics."""

from datetime import UTC, datetime
from typing import cast

from redis import Redis
from redis.exceptions import RedisError

from myriad import clock
from myriad.breaker import Breaker, BreakerRule

RULE = BreakerRule(failures=5, first_s=15, longest_s=600)

_UNTIL = "webhook-breakers"
_FAILURES = "webhook-failures:{}"
_KEPT_S = 3600
_MOST = 10_000


class EndpointBreakers:
    """Failures in a row of each host. What Redis forgets is learned again by failing.

    While Redis is away no breaker is open: then it is the cap of each host that keeps
    the others' deliveries going.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def note(self, host: str, *, is_well: bool) -> None:
        """Count a try at the host; enough failures open its breaker, one success closes it."""
        try:
            if is_well:
                self._close(host)
            else:
                self._count_failure(host)
        except RedisError:
            return

    def found(self) -> dict[str, Breaker]:
        """Breakers that are open or half open, by host; empty while Redis is away."""
        try:
            return self._read()
        except RedisError:
            return {}

    def _close(self, host: str) -> None:
        self._redis.delete(_FAILURES.format(host))
        self._redis.zrem(_UNTIL, host)

    def _count_failure(self, host: str) -> None:
        until = self._redis.zscore(_UNTIL, host)
        if until is not None and until > clock.now().timestamp():
            return  # it was under way already when the breaker opened
        key = _FAILURES.format(host)
        failures = int(self._redis.incr(key))
        self._redis.expire(key, _KEPT_S)
        if pause := RULE.pause(failures):
            self._redis.zadd(_UNTIL, {host: (clock.now() + pause).timestamp()})
            # Whoever makes up names without end must not fill our memory.
            self._redis.zremrangebyrank(_UNTIL, 0, -_MOST - 1)

    def _read(self) -> dict[str, Breaker]:
        now = clock.now().timestamp()
        self._redis.zremrangebyscore(_UNTIL, 0, now - _KEPT_S)
        rows = cast("list[tuple[bytes, float]]", self._redis.zrange(_UNTIL, 0, -1, withscores=True))
        untils = {host.decode(): datetime.fromtimestamp(until, UTC) for host, until in rows}
        keys = [_FAILURES.format(host) for host in untils]
        counts = self._redis.mget(keys) if keys else []
        return {
            host: Breaker(host, int(count or RULE.failures), until)
            for (host, until), count in zip(untils.items(), counts, strict=True)
        }
