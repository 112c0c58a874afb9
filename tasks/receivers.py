"""What each webhook receiver may get: a few tries at a time, and a rest after failing."""

from collections import Counter
from threading import Lock

from redis import Redis

from myriad import clock
from myriad.breaker import BreakerState
from myriad.db.host_share import Room
from myriad.endpoint_breaker import EndpointBreakers

_AT_ONCE = 4


class Receivers:
    """Counts what this sender has under way with each host; breakers are shared by all senders."""

    def __init__(self, redis: Redis) -> None:
        self._breakers = EndpointBreakers(redis)
        self._under_way: Counter[str] = Counter()
        self._lock = Lock()

    def room(self) -> Room:
        """How many more tries each host may get, as of now."""
        now = clock.now()
        most = {
            host: 0 if breaker.state(now) is BreakerState.OPEN else 1
            for host, breaker in self._breakers.found().items()
        }
        with self._lock:
            under_way = Counter(self._under_way)
        return lambda host: most.get(host, _AT_ONCE) - under_way[host]

    def begin(self, host: str) -> None:
        """A try at the host begins."""
        with self._lock:
            self._under_way[host] += 1

    def end(self, host: str, *, is_well: bool | None) -> None:
        """It has ended; None: it says nothing of the host."""
        with self._lock:
            self._under_way[host] -= 1
            if not self._under_way[host]:
                del self._under_way[host]
        if is_well is not None:
            self._breakers.note(host, is_well=is_well)
