"""Whether Redis has memory to spare for what could lie elsewhere."""

from time import monotonic

from redis import Redis
from redis.exceptions import RedisError

_LOOK_EVERY_S = 1.0
_SHARE = 0.5


class RedisRoom:
    """As of a second ago: half of `maxmemory` is kept free for what has no other place.

    A Redis that is full takes no hints either, and without hints nothing that lies in it
    is ever fetched: it would stay full until things expire.
    """

    def __init__(self, redis_client: Redis) -> None:
        self._redis = redis_client
        self._look_due = 0.0
        self._has_room = True

    @property
    def has_room(self) -> bool:
        """Whether it may be given more. Yes if it does not say; the writing tells then."""
        if monotonic() >= self._look_due:
            self._look_due = monotonic() + _LOOK_EVERY_S
            self._has_room = self._look()
        return self._has_room

    def _look(self) -> bool:
        try:
            memory = self._redis.info("memory")
        except RedisError:
            return True
        most = memory.get("maxmemory", 0)
        return not most or memory["used_memory"] < _SHARE * most
