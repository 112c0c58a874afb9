"""What the batcher is told of a request that waits: how urgent its next turn is."""

import time
from math import inf

from workers.batching.batcher import Waiting
from workers.batching.pace import Pace
from workers.batching.parked import Parked
from workers.batching.request import Request


def waiting_at(ticket: int, parked: Parked, pace: Pace) -> Waiting:
    """For a forward pass, at a model."""
    request, call = parked.request, parked.call
    remaining_s = pace.remaining_s(request.a_step or {call.shape: 1}, request.steps_left)
    waited_s, slack_s = _times(request, remaining_s)
    return Waiting(
        ticket=ticket,
        key=parked.key,
        rows=call.rows,
        shape=call.shape,
        waited_s=waited_s,
        remaining_s=remaining_s,
        slack_s=slack_s,
        bucket=parked.bucket,
        precedes_another=call.spec.precedes_another,
    )


def waiting_aside(ticket: int, request: Request) -> Waiting:
    """For another turn of one that meets nobody, and has the engine to itself then."""
    remaining_s = max(request.steps_left, 1) * request.turn_s
    waited_s, slack_s = _times(request, remaining_s)
    return Waiting(
        ticket=ticket,
        key=("aside", ticket),
        rows=1,
        waited_s=waited_s,
        remaining_s=remaining_s,
        slack_s=slack_s,
    )


def _times(request: Request, remaining_s: float) -> tuple[float, float]:
    """Seconds since it came, and those to spare before it must be done."""
    now, deadline = time.monotonic(), request.terms.deadline
    slack_s = inf if deadline is None else deadline - now - remaining_s
    return now - request.terms.arrived, slack_s
