"""Where requests meet: each is a greenlet that parks at the model's forward.

A request runs an unmodified pipeline. When it calls a shared module it parks;
when nobody can go on without a forward pass, the batcher names who shares the
next one, it runs once, and those requests go on. All on one thread: nothing
here is locked, and nothing may block.
"""

import inspect
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import replace
from functools import update_wrapper
from typing import Any

from greenlet import getcurrent
from torch import nn

from workers.batching.batcher import Batcher
from workers.batching.call import CallSpec, make_call
from workers.batching.join import zeros
from workers.batching.meeting import Meeting
from workers.batching.output import as_output
from workers.batching.parked import Parked
from workers.batching.passes import Passes
from workers.batching.request import Request, Terms, current_request
from workers.batching.signature import remember_signatures
from workers.batching.stopwatch import Stopwatch
from workers.batching.turn import waiting_aside, waiting_at
from workers.error import is_out_of_memory
from workers.figures import Figures


class Hub:
    """Made and used on one thread; its methods belong to that thread's main greenlet."""

    def __init__(
        self,
        batcher: Batcher,
        stopwatch: Stopwatch | None = None,
        free_cache: Callable[[], None] = lambda: None,
        figures: Figures | None = None,
    ) -> None:
        self._batcher = batcher
        self._stopwatch = stopwatch or Stopwatch()
        self._passes = Passes(batcher.policy, self._stopwatch, free_cache, figures)
        self._main = getcurrent()
        self._parked: dict[int, Parked] = {}
        self._sleeping: list[Request] = []
        self._aside: dict[int, Request] = {}
        self._tickets = 0

    @property
    def forwards(self) -> int:
        """How many forward passes have run."""
        return self._passes.count

    @property
    def is_idle(self) -> bool:
        """Whether no request waits for a forward pass, or for another request."""
        return not self._parked and not self._sleeping and not self._aside

    def start(
        self, work: Callable[[], Any], future: "Future[Any]", terms: Terms | None = None
    ) -> None:
        """Run `work` until it first parks or ends; its outcome goes to `future`."""
        Request(work, future, self._main, terms or Terms()).switch()

    def tick(self) -> None:
        """One forward pass, and every request it serves as far as it then gets.

        Or, if that is first in line, a turn of a request that meets nobody.
        """
        self._stopwatch.report()
        pace = self._passes.pace
        parked = [waiting_at(ticket, each, pace) for ticket, each in self._parked.items()]
        aside = [waiting_aside(ticket, each) for ticket, each in self._aside.items()]
        match self._batcher.choose([*parked, *aside]):
            case [ticket] if ticket in self._aside:
                self._resume(self._aside.pop(ticket))
            case [_, *_] as tickets:
                self._run([self._parked.pop(ticket) for ticket in tickets])
        self._wake()

    def abandon(self, error: Exception) -> None:
        """Raise `error` in every request that is under way."""
        under_way = [parked.request for parked in self._parked.values()]
        under_way += [*self._sleeping, *self._aside.values()]
        self._parked, self._sleeping, self._aside = {}, [], {}
        for request in under_way:
            request.throw(error)

    def wait(self, is_over: Callable[[], bool]) -> bool:
        """Inside a request: let others go on until `is_over()`.

        False, at once, if no other is under way that could bring it about. Raises what
        the request's `check` does.
        """
        request = current_request()
        while not is_over():
            if request is None or not (self._parked or self._aside):
                return False
            self._sleeping.append(request)
            self._main.switch()
            request.terms.check()
        return True

    def step_aside(self) -> None:
        """Inside a request that meets nobody: wait for another turn, as calls wait for a pass."""
        request = current_request()
        if request is None or request.is_apart:
            return
        self._tickets += 1
        self._aside[self._tickets] = request
        self._main.switch()

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
        # What is learnt of a module holds for all that are built alike, and outlives it.
        kind = (type(module).__name__, method, sum(each.numel() for each in module.parameters()))
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
            return self._meet(request, spec, kind, arguments, meeting)

        remember_signatures(module)
        # diffusers looks at the signature to learn what a model takes.
        meeting.stand_in(update_wrapper(parked, forward))

    def _meet(
        self,
        request: Request,
        spec: CallSpec,
        kind: Hashable,
        arguments: dict[str, Any],
        meeting: Meeting,
    ) -> Any:
        # A tiny autoencoder calls its rows by another name than the others do.
        rows = spec.rows if spec.rows in arguments else next(iter(arguments))
        spec = spec if rows == spec.rows else replace(spec, rows=rows)
        call = make_call(spec, kind, arguments, strict=request.terms.reproducible)
        request.called(call.shape)
        if request.is_skipping:
            outputs = zeros(call, meeting.out_channels)
        else:
            outputs = self._park(Parked.at(meeting, request, call))
        return as_output(outputs) if call.returns_dict else outputs

    def _wake(self) -> None:
        sleeping, self._sleeping = self._sleeping, []
        for request in sleeping:
            request.switch()

    def _resume(self, request: Request) -> None:
        def told(cost_s: float, wall_s: float) -> None:
            request.turn_s = wall_s

        with self._stopwatch.timing(told):
            request.switch()

    def _park(self, parked: Parked) -> Any:
        self._tickets += 1
        self._parked[self._tickets] = parked
        return self._main.switch()

    def _run(self, members: list[Parked]) -> None:
        try:
            shares = self._passes.answer(members)
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

    def _run_apart(self, members: list[Parked], is_too_much: bool) -> None:
        """A batch failed: whoever fails by itself too is to blame, the others go on."""
        parts = [[member] for member in members]
        if is_too_much:
            middle = len(members) // 2
            parts = [members[:middle], members[middle:]]
            try:
                self._passes.too_many(members)
            except Exception as error:  # of a device that is lost, perhaps
                for member in members:
                    member.request.throw(error)
                return
        for part in parts:
            self._run(part)
