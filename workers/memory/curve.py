"""How many rows of a forward pass are worth running at once, learnt as they run; no torch."""

from bisect import bisect_left
from collections import OrderedDict, deque
from collections.abc import Hashable
from typing import Final

_SAMPLES: Final = 7  # of each row count, the latest
_SETTLED: Final = 3  # samples before a count is judged: the first may compile, another be unlucky
_TOLERANCE: Final = 0.03  # smaller gains are noise
_LOOK_SHARE: Final = 0.002  # of all seconds since, what another look at a poor count may cost
_LEAST_COST: Final = 0.1  # of its seconds, what a look counts as costing at least
_KEYS: Final = 1024


class ThroughputCurve:
    """Seconds of one forward pass by rows, apart for every shape key.

    A shape starts with single requests and doubles as long as rows get faster.
    What did not pay is left alone; it is looked at again when a small share of
    the time spent since then covers what the look will probably cost.
    """

    def __init__(self) -> None:
        self._shapes: OrderedDict[Hashable, _Shape] = OrderedDict()

    def observe(self, key: Hashable, rows: int, seconds: float) -> None:
        """A forward pass of `rows` rows of that shape took `seconds`."""
        self._shape(key).observe(rows, seconds)

    def best_rows(self, key: Hashable, available_rows: int, unit: int) -> int:
        """How many of the rows that wait to run now; `unit` are the rows of one request.

        A doubling of `unit`, or all of `available_rows` (of which there are at least `unit`).
        """
        counts = _counts(unit, available_rows)
        return counts[0] if len(counts) == 1 else self._shape(key).choose(counts)

    def rows_per_second(self, key: Hashable) -> dict[int, float]:
        """What has been measured of a shape, by rows."""
        return {rows: self._shape(key).rate(rows) for rows in self._shape(key).settled}

    def _shape(self, key: Hashable) -> "_Shape":
        shape = self._shapes.setdefault(key, _Shape())
        self._shapes.move_to_end(key)
        if len(self._shapes) > _KEYS:
            self._shapes.popitem(last=False)
        return shape


class _Shape:
    """The measured row counts of one shape key."""

    def __init__(self) -> None:
        self.settled: list[int] = []
        self._samples: dict[int, deque[float]] = {}
        self._typical_s: dict[int, float] = {}
        self._spent_s = 0.0
        self._seen_at_s: dict[int, float] = {}

    def observe(self, rows: int, seconds: float) -> None:
        samples = self._samples.setdefault(rows, deque(maxlen=_SAMPLES))
        samples.append(seconds)
        # Below the middle: a sample that is wrong is too slow, never too fast.
        self._typical_s[rows] = sorted(samples)[(len(samples) - 1) // 3]
        if len(samples) >= _SETTLED and rows not in self.settled:
            self.settled = sorted([*self.settled, rows])
        self._spent_s += self._typical_s[rows]
        self._seen_at_s[rows] = self._spent_s

    def choose(self, counts: list[int]) -> int:
        """One of `counts`, which grow."""
        if not self.settled or counts[0] < self.settled[0]:
            return counts[0]  # what single requests take is the measure of all else
        best = self._fastest(counts)
        larger = [rows for rows in counts if rows > best]
        if larger and larger[0] not in self.settled:
            return larger[0]
        rate = self.rate(best)
        others = (rows for rows in counts if rows != best and rows <= 2 * self.settled[-1])
        return next((rows for rows in others if self._is_due(rows, rate)), best)

    def rate(self, rows: int) -> float:
        """Rows a second, measured or estimated."""
        return rows / self._seconds(rows)

    def _fastest(self, counts: list[int]) -> int:
        """The smallest count about as good as the best: more would only make others wait."""
        known = [rows for rows in counts if rows <= self.settled[-1]] or counts[:1]
        rates = {rows: self.rate(rows) for rows in known}
        enough = max(rates.values()) * (1 - _TOLERANCE)
        return next(rows for rows in known if rates[rows] >= enough)

    def _seconds(self, rows: int) -> float:
        """As measured; between two counts on the line through them, beyond the last its square."""
        place = bisect_left(self.settled, rows)
        if place == len(self.settled):
            last = self.settled[-1]
            return self._typical_s[last] * (rows / last) ** 2
        right = self.settled[place]
        if right == rows or place == 0:
            return self._typical_s[right]
        left = self.settled[place - 1]
        share = (rows - left) / (right - left)
        return (1 - share) * self._typical_s[left] + share * self._typical_s[right]

    def _is_due(self, rows: int, best_rate: float) -> bool:
        """Whether running `rows` once costs little beside what was spent since it last ran."""
        seconds = self._seconds(rows)
        cost = max(seconds - rows / best_rate, seconds * _LEAST_COST)
        since = self._spent_s - self._seen_at_s.get(rows, 0.0)
        return cost <= since * _LOOK_SHARE


def _counts(unit: int, available_rows: int) -> list[int]:
    """`unit`, its doublings, and all there are."""
    counts = [unit]
    while counts[-1] * 2 < available_rows:
        counts.append(counts[-1] * 2)
    return [*counts, available_rows] if available_rows > unit else counts
