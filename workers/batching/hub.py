"""Where requests meet: each is a greenlet that parks at the model's forward.

A request runs an unmodified pipeline. When it calls a shared module it parks;
when nobody can go on without a forward pass, the batcher names who shares the
next one, it runs once, and those requests go on. All on one thread: nothing
here is locked, and nothing may block.
"""

import inspect
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import update_wrapper
from math import inf
from typing import Any

from greenlet import getcurrent
from torch import nn

from workers.batching.batcher import Batcher, Waiting
from workers.batching.call import Call, CallSpec, make_call
from workers.batching.join import join, split, zeros
from workers.batching.meeting import Meeting
from workers.batching.output import as_output
from workers.batching.pace import Pace
from workers.batching.policy import Pass
from workers.batching.request import Request, Terms, current_request
from workers.batching.stopwatch import Stopwatch
from workers.error import is_out_of_memory

# A request that must not depend on its neighbours always runs among this many rows, or
# the next power of two above its own.
REPRODUCIBLE_ROWS = 4
FEWER_ROWS = "out of memory: fewer rows in one forward pass"


@dataclass(frozen=True)
class _Parked:
    request: Request
    call: Call
    meeting: Meeting
    bucket: int


class Hub:
    """Made and used on one thread; its methods belong to that thread's main greenlet."""

    def __init__(
        self,
        batcher: Batcher,
        stopwatch: Stopwatch | None = None,
        free_cache: Callable[[], None] = lambda: None,
    ) -> None:
        self._batcher = batcher
        self._stopwatch = stopwatch or Stopwatch()
        self._free_cache = free_cache
        self._pace = Pace()
        self._main = getcurrent()
        self._parked: dict[int, _Parked] = {}
        self._sleeping: list[Request] = []
        self._tickets = 0
        self.forwards = 0

    @property
    def is_idle(self) -> bool:
        """Whether no request waits for a forward pass, or for another request."""
        return not self._parked and not self._sleeping

    def start(
        self, work: Callable[[], Any], future: "Future[Any]", terms: Terms | None = None
    ) -> None:
        """Run `work` until it first parks or ends; its outcome goes to `future`."""
        Request(work, future, self._main, terms or Terms()).switch()

    def tick(self) -> None:
        """One forward pass, and every request it serves as far as it then gets."""
        self._stopwatch.report()
        waiting = [self._waiting(ticket, parked) for ticket, parked in self._parked.items()]
        chosen = [self._parked.pop(ticket) for ticket in self._batcher.choose(waiting)]
        if chosen:
            self._run(chosen)
        self._wake()

    def wait(self, is_over: Callable[[], bool]) -> bool:
        """Inside a request: let others go on until `is_over()`.

        False, at once, if no other is under way that could bring it about. Raises what
        the request's `check` does.
        """
        request = current_request()
        while not is_over():
            if request is None or not self._parked:
                return False
            self._sleeping.append(request)
            self._main.switch()
            request.terms.check()
        return True

    def park_point(
        self,
        module: nn.Module,
        spec: CallSpec,
        put_on: Callable[[Hashable], None] | None = None,
        method: str = "forward",
    ) -> None:
        """From now on requests meet at `module`. Calls from outside a request run as ever.

        `put_on(variant)` makes the module carry the adapters of those who run next.
        """
        forward = getattr(module, method)
        channels = getattr(getattr(module, "config", None), "out_channels", None)
        meeting = Meeting(module, method, forward, put_on, channels)
        signature = inspect.signature(forward)

        def parked(*args: Any, **kwargs: Any) -> Any:
            request = current_request()
            if request is None or request.is_apart:
                return meeting.forward(*args, **kwargs)
            given = signature.bind(*args, **kwargs).arguments
            # Some pipelines say None where others say nothing: they may meet all the same.
            arguments = {
                name: value
                for name, value in given.items()
                if value is not None or signature.parameters[name].default is not None
            }
            return self._meet(request, spec, id(module), arguments, meeting)

        # diffusers looks at the signature to learn what a model takes.
        meeting.stand_in(update_wrapper(parked, forward))

    def _meet(
        self,
        request: Request,
        spec: CallSpec,
        module_id: int,
        arguments: dict[str, Any],
        meeting: Meeting,
    ) -> Any:
        # A tiny autoencoder calls its rows by another name than the others do.
        rows = spec.rows if spec.rows in arguments else next(iter(arguments))
        spec = spec if rows == spec.rows else replace(spec, rows=rows)
        call = make_call(spec, module_id, arguments, strict=request.terms.reproducible)
        if request.is_skipping:
            outputs = zeros(call, meeting.out_channels)
        else:
            outputs = self._park(_Parked(request, call, meeting, _bucket(request, call)))
        return as_output(outputs) if call.returns_dict else outputs

    def _wake(self) -> None:
        sleeping, self._sleeping = self._sleeping, []
        for request in sleeping:
            request.switch()

    def _park(self, parked: _Parked) -> Any:
        self._tickets += 1
        self._parked[self._tickets] = parked
        return self._main.switch()

    def _run(self, members: list[_Parked]) -> None:
        try:
            shares = self._forward(members)
        except Exception as error:
            if len(members) == 1:
                members[0].request.throw(error)
                return
            is_too_much = is_out_of_memory(error)
        else:
            for member, share in zip(members, shares, strict=True):
                member.request.switch(share)
            return
        # Here and no earlier: the error's frames held the failed batch's tensors.
        self._run_apart(members, is_too_much)

    def _run_apart(self, members: list[_Parked], is_too_much: bool) -> None:
        """A batch failed: whoever fails by itself too is to blame, the others go on."""
        parts = [[member] for member in members]
        if is_too_much:
            middle = len(members) // 2
            parts = [members[:middle], members[middle:]]
            self._too_many(members)
        for part in parts:
            self._run(part)

    def _too_many(self, members: list[_Parked]) -> None:
        rows = sum(member.call.rows for member in members)
        self._batcher.policy.out_of_memory(members[0].call.shape, rows)
        for member in members:
            member.request.terms.on_notice(FEWER_ROWS)
        self._free_cache()

    def _forward(self, members: list[_Parked]) -> list[Any]:
        first, calls = members[0], [member.call for member in members]
        if first.meeting.put_on:
            first.meeting.put_on(first.request.variant)
        rows, shape = max(first.bucket, sum(call.rows for call in calls)), first.call.shape

        def told(seconds: float) -> None:  # may be kept until the next pass: holds no request
            self._pace.observe(shape, seconds)
            self._batcher.policy.observe(shape, rows, seconds)

        meeting, arguments = first.meeting, join(calls, first.bucket)
        about = Pass(shape, rows, meeting.module, meeting.method, arguments)
        with self._batcher.policy.watch(about), self._stopwatch.timing(told):
            outputs = meeting.forward(**arguments, return_dict=False)
        self.forwards += 1
        return split(outputs, calls, first.bucket)

    def _waiting(self, ticket: int, parked: _Parked) -> Waiting:
        request, call, now = parked.request, parked.call, time.monotonic()
        remaining_s = self._pace.remaining_s(call.shape, request.steps_left)
        deadline = request.terms.deadline
        return Waiting(
            ticket=ticket,
            key=(call.key, request.variant if parked.meeting.put_on else None, parked.bucket),
            rows=call.rows,
            shape=call.shape,
            waited_s=now - request.arrived,
            remaining_s=remaining_s,
            slack_s=inf if deadline is None else deadline - now - remaining_s,
            bucket=parked.bucket,
            precedes_another=call.spec.precedes_another,
        )


def _bucket(request: Request, call: Call) -> int:
    if not request.terms.reproducible:
        return 0
    if call.spec.timestep is None:
        return call.rows  # decoding: one pass a picture costs less by itself
    return max(REPRODUCIBLE_ROWS, 1 << (call.rows - 1).bit_length())
