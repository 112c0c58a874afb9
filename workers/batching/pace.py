"""How long a request still needs, guessed from the forward passes seen so far."""

from collections.abc import Hashable, Mapping
from typing import Final

_WEIGHT = 0.2
# Until a shape has run once. Only the order of requests depends on it.
FIRST_GUESS_S: Final = 0.1
_SHAPES = 1024


class Pace:
    """Seconds of one forward pass by shape, as an exponentially weighted mean."""

    def __init__(self) -> None:
        self._seconds: dict[Hashable, float] = {}

    def observe(self, shape: Hashable, seconds: float) -> None:
        """A forward pass of this shape took so long."""
        known = self._seconds.get(shape, seconds)
        self._seconds[shape] = known + _WEIGHT * (seconds - known)
        if len(self._seconds) > _SHAPES:
            del self._seconds[next(iter(self._seconds))]

    def remaining_s(self, step: Mapping[Hashable, int], steps: int) -> float:
        """Device seconds of `steps` more, each with so many passes of these shapes."""
        seconds = (self._seconds.get(shape, FIRST_GUESS_S) * count for shape, count in step.items())
        return max(steps, 1) * sum(seconds)
