"""Which parked calls share the next forward pass; plain Python, no torch."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Waiting:
    """A parked call: `ticket` grows with every park, calls of equal `key` may share a batch."""

    ticket: int
    key: Hashable
    rows: int


@dataclass(frozen=True)
class Batcher:
    """Groups take turns by age: the call that has waited longest picks the batch key.

    `max_rows` bounds the rows of one forward pass; a call that alone has more
    still runs, by itself.
    """

    max_rows: int

    def choose(self, waiting: Sequence[Waiting]) -> tuple[int, ...]:
        """Tickets of the calls to run now, oldest first; empty only if nothing waits."""
        by_age = sorted(waiting, key=lambda call: call.ticket)
        if not by_age:
            return ()
        chosen, rows = [by_age[0]], by_age[0].rows
        for call in by_age[1:]:
            if call.key == by_age[0].key and rows + call.rows <= self.max_rows:
                chosen.append(call)
                rows += call.rows
        return tuple(call.ticket for call in chosen)
