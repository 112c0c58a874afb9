"""A request that waits at a model for the forward pass that answers its call."""

from collections.abc import Hashable
from dataclasses import dataclass

from workers.batching.call import Call
from workers.batching.meeting import Meeting
from workers.batching.request import Request

# A request that must not depend on its neighbours always runs among this many rows, or
# the next power of two above its own.
REPRODUCIBLE_ROWS = 4


@dataclass(frozen=True)
class Parked:
    """A call, whose it is, and where it waits; with a `bucket` it runs among so many rows."""

    request: Request
    call: Call
    meeting: Meeting
    bucket: int

    @classmethod
    def at(cls, meeting: Meeting, request: Request, call: Call) -> "Parked":
        return cls(request, call, meeting, _bucket(request, call))

    @property
    def key(self) -> Hashable:
        """Calls of equal keys may share a pass."""
        variant = self.request.variant if self.meeting.put_on else None
        return (id(self.meeting), self.call.key, variant, self.bucket)


def _bucket(request: Request, call: Call) -> int:
    if not request.terms.reproducible:
        return 0
    if call.spec.timestep is None:
        return call.rows  # decoding: one pass a picture costs less by itself
    return max(REPRODUCIBLE_ROWS, 1 << (call.rows - 1).bit_length())
