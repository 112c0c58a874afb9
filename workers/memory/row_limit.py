"""How many rows of one shape fit the device's memory now; plain Python, no torch."""

import math
from collections import deque
from collections.abc import Callable
from typing import Final

from workers.memory.row_memory import RowMemory

FIRST_K: Final = 1.7  # the most that real growth was seen to exceed the traced peak by
_USABLE: Final = 0.85  # of the free memory: allocators fragment, and others allocate too
_MARGIN: Final = 1.1  # kept above what the allocator was seen to need
_REMEMBERED: Final = 16
_FIRST_PATIENCE: Final = 100


class RowLimit:
    """`(free * 0.85 - weights - a) / (k * b)` rows, never less than one.

    `memory` may be replaced when more is known. `free_bytes` is asked anew each time;
    where it says None, only the cap counts. `weights_bytes` are those still to be
    loaded into that free memory: 0 once the model is there. `k` says how far the
    device's real need exceeds the traced one; `observe` learns it from the
    allocator. Running out of memory sets a cap; it is raised by a quarter after
    `_FIRST_PATIENCE` calls at the cap went well, more rarely each time it was wrong.
    """

    def __init__(
        self,
        memory: RowMemory,
        free_bytes: Callable[[], int | None],
        weights_bytes: int = 0,
        k: float = FIRST_K,
    ) -> None:
        self.memory = memory
        self._free_bytes = free_bytes
        self._weights_bytes = weights_bytes
        self._k = k
        self._ratios: deque[float] = deque(maxlen=_REMEMBERED)
        self._cap: int | None = None
        self._patience = _FIRST_PATIENCE
        self._went_well = 0

    @property
    def k(self) -> float:
        """Real bytes a row for each traced one, a margin included."""
        return self._k

    @property
    def cap(self) -> int | None:
        """Rows that are tried at most since memory ran out; None if it never did."""
        return self._cap

    def room_rows(self) -> float:
        """Rows that the formula finds room for; 0 if not even one fits, inf if nobody can tell."""
        free_bytes = self._free_bytes()
        if free_bytes is None:
            return math.inf
        room = free_bytes * _USABLE - self._weights_bytes - self.memory.a_bytes
        return max(0, math.floor(room / (self._k * max(1, self.memory.b_bytes))))

    def max_rows(self) -> float:
        """Rows to run at most; at least 1, as a call cannot be cut smaller."""
        rows = self.room_rows() if self._cap is None else min(self.room_rows(), self._cap)
        return max(1, rows)

    def observe(self, rows: int, peak_bytes: int) -> None:
        """A call of `rows` went well; `peak_bytes` is its growth at the highest point.

        Take it from the device's allocator; where there is none (a CPU), do not call.
        """
        if self.memory.b_bytes:
            real = max(0, peak_bytes - self.memory.a_bytes)
            self._ratios.append(real / (self.memory.b_bytes * rows))
            self._k = max(self._ratios) * _MARGIN or FIRST_K
        self.went_well(rows)

    def out_of_memory(self, rows: int) -> None:
        """A call of `rows` did not fit: from now on at most half as many."""
        self._cap = max(1, rows // 2)
        self._patience *= 2
        self._went_well = 0

    def went_well(self, rows: int) -> None:
        """A call of `rows` fitted. Memory was perhaps short for a while: rarely, try a few more."""
        if self._cap is None or rows < self._cap:
            return
        self._went_well += 1
        if self._went_well >= self._patience:
            self._went_well = 0
            self._cap += max(1, self._cap // 4)
