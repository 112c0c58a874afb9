"""Which parked calls share the next forward pass; plain Python, no torch."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from math import inf

from workers.batching.policy import EveryRow, RowPolicy


@dataclass(frozen=True)
class Waiting:
    """A parked call. Calls of equal `key` may share a batch; `shape` is what its cost depends on.

    `ticket` grows with every park. Its request came `waited_s` ago, needs about
    `remaining_s` more of the device, and must be done in `slack_s` + `remaining_s`.
    With `bucket` the batch it is in has exactly that many rows, filled up if need be.
    With `precedes_another` it goes first, so that its request can join the others after.
    """

    ticket: int
    key: Hashable
    rows: int
    shape: Hashable = None
    waited_s: float = 0.0
    remaining_s: float = 1.0
    slack_s: float = inf
    bucket: int = 0
    precedes_another: bool = False


@dataclass
class Batcher:
    """The call with the highest response ratio leads; calls of the leader's key may join.

    That ratio, time waited to time still needed (Brinch Hansen 1971), lets a long
    video yield to short images at a step, and grows with age, so that no shape
    starves. Who would else miss a deadline goes first. `max_rows` bounds the rows
    of one forward pass, and `policy` says how many are worth running together.
    A call that alone has more than either still runs, by itself.
    """

    max_rows: int
    policy: RowPolicy = field(default_factory=EveryRow)

    def choose(self, waiting: Sequence[Waiting]) -> tuple[int, ...]:
        """Tickets of the calls to run now, the leader first; empty only if nothing waits."""
        if not waiting:
            return ()
        order = sorted(waiting, key=_turn)
        group = [call for call in order if call.key == order[0].key]
        limit = self._limit(group)
        chosen, rows = [group[0]], group[0].rows
        for call in group[1:]:
            if rows + call.rows <= limit:
                chosen.append(call)
                rows += call.rows
        return tuple(call.ticket for call in chosen)

    def _limit(self, group: Sequence[Waiting]) -> int:
        if bucket := group[0].bucket:
            return bucket
        available = min(sum(call.rows for call in group), self.max_rows)
        unit = min(call.rows for call in group)
        if available <= group[0].rows:
            return group[0].rows
        return self.policy.best_rows(group[0].shape, available, unit)


def _turn(call: Waiting) -> tuple[bool, bool, float, int]:
    is_pressed = 0 <= call.slack_s < call.remaining_s
    ratio = call.waited_s / call.remaining_s
    return not is_pressed, not call.precedes_another, -ratio, call.ticket
