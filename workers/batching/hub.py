"""Where requests meet: each is a greenlet that parks at the model's forward.

A request runs an unmodified pipeline. When it calls a shared module it parks;
when nobody can go on without a forward pass, the batcher names who shares the
next one, it runs once, and those requests go on. All on one thread: nothing
here is locked, and nothing may block.
"""

import inspect
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import update_wrapper
from typing import Any

from greenlet import getcurrent, greenlet
from torch import Tensor, nn

from workers.batching.batcher import Batcher, Waiting
from workers.batching.call import Call, CallSpec, concatenate, make_call, split

Forward = Callable[..., Any]


@dataclass(frozen=True)
class _Parked:
    request: greenlet
    call: Call
    forward: Forward


class Hub:
    """Made and used on one thread; its methods belong to that thread's main greenlet."""

    def __init__(self, batcher: Batcher) -> None:
        self._batcher = batcher
        self._main = getcurrent()
        self._parked: dict[int, _Parked] = {}
        self._tickets = 0
        self.forwards = 0

    @property
    def is_idle(self) -> bool:
        """Whether no request waits for a forward pass."""
        return not self._parked

    def start(self, work: Callable[[], Any], future: "Future[Any]") -> None:
        """Run `work` until it first parks or ends; its outcome goes to `future`."""
        greenlet(_settle, parent=self._main).switch(work, future)

    def tick(self) -> None:
        """One forward pass, and every request it serves as far as it then gets."""
        waiting = [Waiting(t, p.call.key, p.call.rows) for t, p in self._parked.items()]
        chosen = [self._parked.pop(ticket) for ticket in self._batcher.choose(waiting)]
        if chosen:
            self._run(chosen)

    def park_point(self, module: nn.Module, spec: CallSpec) -> None:
        """From now on requests meet at `module`. Calls from outside a request run as ever."""
        forward = module.forward
        signature = inspect.signature(forward)

        def parked(*args: Any, **kwargs: Any) -> Any:
            if getcurrent() is self._main:
                return forward(*args, **kwargs)
            bound = signature.bind(*args, **kwargs)
            call = make_call(spec, id(module), bound.arguments)
            outputs = self._park(call, forward)
            return outputs if not call.returns_dict else _Output(outputs)

        # diffusers looks at the signature to learn what a model takes.
        module.forward = update_wrapper(parked, forward)

    def _park(self, call: Call, forward: Forward) -> tuple[Tensor, ...]:
        self._tickets += 1
        self._parked[self._tickets] = _Parked(getcurrent(), call, forward)
        outputs: tuple[Tensor, ...] = self._main.switch()
        return outputs

    def _run(self, members: list[_Parked]) -> None:
        calls = [member.call for member in members]
        try:
            shares = split(self._forward(members[0].forward, calls), calls)
        except Exception as error:
            self._run_alone(members, error)
            return
        for member, share in zip(members, shares, strict=True):
            member.request.switch(share)

    def _run_alone(self, members: list[_Parked], error: Exception) -> None:
        """A batch failed: whoever fails by itself too is to blame, the others go on."""
        if len(members) == 1:
            members[0].request.throw(error)
            return
        for member in members:
            self._run([member])

    def _forward(self, forward: Forward, calls: list[Call]) -> tuple[Tensor, ...]:
        self.forwards += 1
        outputs: tuple[Tensor, ...] = forward(**concatenate(calls), return_dict=False)
        return outputs


class _Output(tuple[Tensor, ...]):
    """What a pipeline reads of a model's output: by place or as `.sample`."""

    __slots__ = ()

    @property
    def sample(self) -> Tensor:
        return self[0]


def _settle(work: Callable[[], Any], future: "Future[Any]") -> None:
    try:
        future.set_result(work())
    except BaseException as error:
        future.set_exception(error)
