"""A Redis connection that fails soon rather than hangs."""

from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry


def connect_redis(url: str) -> Redis:
    """A client for `url`; connects on first use, each wait bounded by seconds.

    Values are bytes. A frozen server costs a caller at most about ten seconds
    (one try, one retry), then redis.TimeoutError.
    """
    return Redis.from_url(
        url,
        socket_timeout=5,
        socket_connect_timeout=3,
        socket_keepalive=True,
        health_check_interval=30,
        retry=Retry(ExponentialBackoff(cap=0.5, base=0.05), retries=1),
    )
