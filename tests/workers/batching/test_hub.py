"""The hub over plain modules: what is joined, what waits for whom, and what fails alone."""

import time
import weakref
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from myriad.errors import LeaseLost
from workers.batching.batcher import Batcher, Waiting
from workers.batching.call import CallSpec
from workers.batching.hub import Hub
from workers.batching.policy import EveryRow, Pass
from workers.batching.request import Request, Terms, current_request
from workers.batching.stopwatch import Stopwatch, Told

SPEC = CallSpec(rows="x", timestep="t")


class Adder(nn.Module):
    """Adds the time to each row, and counts what it was called with."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[int] = []

    def forward(
        self,
        x: Tensor,
        t: Tensor,
        text: Tensor | None = None,
        text_mask: Tensor | None = None,
        extra: Tensor | None = None,
        ids: Tensor | None = None,
        scale: float = 1.0,
        return_dict: bool = True,
    ) -> tuple[Tensor]:
        self.seen.append(len(x))
        y = x + t.reshape(-1, 1)
        if extra is not None:
            y = y + extra
        if text is not None:
            kept = text if text_mask is None else text * text_mask.unsqueeze(-1)
            y = y + kept.sum(dim=(1, 2)).reshape(-1, 1)
        return (y * scale,)


class Farm:
    """A hub with one adder, and requests that are all begun before the first tick."""

    def __init__(self, spec: CallSpec = SPEC, max_rows: int = 64) -> None:
        self.hub, self.module = Hub(Batcher(max_rows)), Adder()
        self.hub.park_point(self.module, spec)
        self.results: list[Future[Any]] = []

    def ask(self, *, terms: Terms | None = None, **arguments: Any) -> "Future[Any]":
        return self.start(lambda: self.module(**arguments, return_dict=False)[0], terms)

    def start(self, work: Any, terms: Terms | None = None) -> "Future[Any]":
        future: Future[Any] = Future()
        self.hub.start(work, future, terms)
        self.results.append(future)
        return future

    def run(self) -> list[Any]:
        while not self.hub.is_idle:
            self.hub.tick()
        return [future.result() for future in self.results]


def test_times_differ_row_by_row() -> None:
    farm = Farm()
    farm.ask(x=torch.zeros(2, 3), t=1.0)
    farm.ask(x=torch.zeros(1, 3), t=torch.tensor(5))
    first, second = farm.run()
    assert farm.module.seen == [3]
    assert torch.equal(first, torch.full((2, 3), 1.0))
    assert torch.equal(second, torch.full((1, 3), 5.0))


def test_texts_of_different_length_are_padded_and_masked() -> None:
    farm = Farm(CallSpec(rows="x", timestep="t", padded={"text": "text_mask"}))
    farm.ask(x=torch.zeros(1, 1), t=0.0, text=torch.ones(1, 2, 4))
    farm.ask(x=torch.zeros(2, 1), t=0.0, text=torch.ones(2, 5, 4))
    short, long = farm.run()
    assert farm.module.seen == [3]
    assert short.flatten().tolist() == [8.0]
    assert long.flatten().tolist() == [20.0, 20.0]


def test_reproducible_requests_share_neither_padding_nor_row_counts_with_others() -> None:
    farm = Farm(CallSpec(rows="x", timestep="t", padded={"text": "text_mask"}))
    terms = Terms(reproducible=True)
    farm.ask(x=torch.zeros(1, 1), t=0.0, text=torch.ones(1, 2, 4))
    farm.ask(terms=terms, x=torch.zeros(1, 1), t=0.0, text=torch.ones(1, 2, 4))
    farm.ask(terms=terms, x=torch.zeros(1, 1), t=0.0, text=torch.ones(1, 3, 4))
    farm.ask(terms=terms, x=torch.zeros(5, 1), t=0.0, text=torch.ones(5, 2, 4))
    plain, first, second, many = farm.run()
    assert sorted(farm.module.seen) == [1, 4, 4, 8]
    assert [len(each) for each in (plain, first, second, many)] == [1, 1, 1, 5]
    assert second.item() == 12.0


def test_what_is_merely_added_may_be_missing() -> None:
    farm = Farm(CallSpec(rows="x", timestep="t", optional=frozenset({"extra"})))
    farm.ask(x=torch.zeros(1, 2), t=1.0)
    farm.ask(x=torch.zeros(2, 2), t=1.0, extra=torch.full((2, 2), 7.0))
    plain, more = farm.run()
    assert farm.module.seen == [3]
    assert plain.unique().tolist() == [1.0]
    assert more.unique().tolist() == [8.0]


def test_a_factor_is_each_requests_own() -> None:
    farm = Farm(CallSpec(rows="x", timestep="t", scale="scale"))
    farm.ask(x=torch.zeros(1, 2), t=1.0, scale=2.0)
    farm.ask(x=torch.zeros(1, 2), t=1.0, scale=0.5)
    twice, half = farm.run()
    assert farm.module.seen == [2]
    assert (twice.max().item(), half.max().item()) == (2.0, 0.5)


def test_shared_tensors_must_agree_in_content() -> None:
    farm = Farm(CallSpec(rows="x", timestep="t", shared=frozenset({"ids"})))
    for ids in (torch.arange(4), torch.arange(4), torch.arange(4) + 1):
        farm.ask(x=torch.zeros(1, 1), t=0.0, ids=ids)
    farm.run()
    assert sorted(farm.module.seen) == [1, 2]


def test_who_skips_is_answered_with_zeros_and_nothing_runs() -> None:
    farm = Farm()

    def work() -> Tensor:
        here().is_skipping = True
        return farm.module(x=torch.ones(2, 3), t=9.0, return_dict=False)[0]

    result = farm.start(work).result()
    assert torch.equal(result, torch.zeros(2, 3))
    assert farm.module.seen == []


def test_a_request_waits_for_another_and_no_longer_than_that_one_lives() -> None:
    farm, over = Farm(), []

    def slow() -> str:
        for _ in range(3):
            farm.module(x=torch.zeros(1, 1), t=0.0, return_dict=False)
        over.append(True)
        return "slow"

    farm.start(slow)
    farm.start(lambda: farm.hub.wait(lambda: bool(over)))
    farm.start(lambda: farm.hub.wait(lambda: False))
    assert farm.run() == ["slow", True, False]


def test_calls_from_outside_a_request_run_at_once() -> None:
    farm = Farm()
    [result] = farm.module(x=torch.zeros(1, 1), t=torch.tensor([2.0]))
    assert result.item() == 2.0


def test_out_of_memory_halves_until_it_fits_and_tells_who_it_concerns() -> None:
    farm, told = Farm(), []
    module = farm.module = Adder()
    real = module.forward

    def limited(x: Tensor, t: Tensor, return_dict: bool = True) -> tuple[Tensor]:
        if len(x) > 2:
            raise torch.OutOfMemoryError("injected")
        return real(x, t)

    module.forward = limited  # type: ignore[method-assign,assignment]
    farm.hub.park_point(module, SPEC)
    for number in range(5):
        farm.ask(terms=Terms(on_notice=told.append), x=torch.zeros(1, 1), t=float(number))
    assert [result.item() for result in farm.run()] == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert max(module.seen) <= 2
    assert told


def test_one_request_of_many_rows_is_run_in_parts_when_memory_runs_out() -> None:
    farm, told, tried = Farm(), [], []
    module = farm.module = Adder()
    real = module.forward

    def limited(
        x: Tensor, t: Tensor, text: Tensor | None = None, return_dict: bool = True
    ) -> tuple[Tensor]:
        tried.append(len(x))
        if len(x) > 2:
            raise torch.OutOfMemoryError("injected")
        return real(x, t, text)

    module.forward = limited  # type: ignore[method-assign,assignment]
    farm.hub.park_point(module, SPEC)
    x, text = torch.arange(5.0).reshape(5, 1), torch.arange(5.0).reshape(5, 1, 1)

    def twice() -> list[Tensor]:
        terms = {"x": x, "text": text, "return_dict": False}
        return [module(t=t, **terms)[0] for t in (1.0, torch.arange(5.0))]

    result = farm.start(twice, Terms(on_notice=told.append))
    farm.run()
    first, second = result.result()
    assert torch.equal(first, x + 1 + text[:, 0])
    assert torch.equal(second, x + torch.arange(5.0).reshape(5, 1) + text[:, 0])
    assert told
    # What was too much once is not tried again at every step.
    assert tried == [5, 2, 1, 2, 2, 1, 2]


def test_a_reproducible_batch_that_is_too_large_blames_no_rows() -> None:
    farm, told = Farm(), []
    module = farm.module = Adder()

    def never(x: Tensor, t: Tensor, return_dict: bool = True) -> tuple[Tensor]:
        raise torch.OutOfMemoryError("injected")

    module.forward = never  # type: ignore[method-assign,assignment]
    farm.hub.park_point(module, SPEC)
    terms = Terms(reproducible=True, on_notice=told.append)
    asked = [farm.ask(terms=terms, x=torch.zeros(1, 1), t=1.0) for _ in range(2)]
    with pytest.raises(torch.OutOfMemoryError):
        farm.run()
    assert all(isinstance(each.exception(), torch.OutOfMemoryError) for each in asked)
    assert told == []


def test_a_device_that_is_lost_while_memory_is_freed_leaves_nobody_waiting() -> None:
    def lost() -> None:
        raise RuntimeError("CUDA error: device lost")

    farm = Farm()
    farm.hub = Hub(Batcher(64), free_cache=lost)
    module = farm.module = Adder()

    def never(x: Tensor, t: Tensor, return_dict: bool = True) -> tuple[Tensor]:
        raise torch.OutOfMemoryError("injected")

    module.forward = never  # type: ignore[method-assign,assignment]
    farm.hub.park_point(module, SPEC)
    asked = [farm.ask(x=torch.zeros(1, 1), t=1.0) for _ in range(3)]
    with pytest.raises(RuntimeError, match="device lost"):
        farm.run()
    assert all("device lost" in str(each.exception()) for each in asked)


class Said(Stopwatch):
    """Everything takes as long as is said while it runs."""

    seconds = 0.0

    @contextmanager
    def timing(self, told: Told) -> Iterator[None]:
        yield
        told(self.seconds, self.seconds)


class Quick(Adder):
    def __init__(self, clock: Said) -> None:
        super().__init__()
        self._clock = clock

    def forward(self, x: Tensor, t: Tensor, return_dict: bool = True) -> tuple[Tensor]:  # type: ignore[override]
        self._clock.seconds = 0.01
        return super().forward(x, t)


def turns_of(loner_waited_s: float) -> list[str]:
    """A request of 3 steps of 5 s that meets nobody, beside another of 8 short ones."""
    farm, clock, order = Farm(), Said(), []
    farm.hub, farm.module = Hub(Batcher(64), clock), Quick(clock)
    farm.hub.park_point(farm.module, SPEC)

    def loner() -> None:
        for left in (2, 1, 0):
            clock.seconds = 5.0
            order.append("loner")
            here().stepped(left)
            farm.hub.step_aside()

    def other() -> None:
        for left in range(7, -1, -1):
            farm.module(x=torch.zeros(1, 1), t=0.0)
            order.append("other")
            here().stepped(left)

    now = time.monotonic()
    farm.start(loner, Terms(steps=3, arrived=now - loner_waited_s))
    farm.start(other, Terms(steps=8, arrived=now - 10))
    farm.run()
    return order


def here() -> Request:
    request = current_request()
    assert request is not None
    return request


def test_a_long_request_that_meets_nobody_yields_to_a_short_one() -> None:
    # It has had one turn when it came, and another that was taken to be short.
    assert turns_of(loner_waited_s=10) == ["loner"] * 2 + ["other"] * 8 + ["loner"]


def test_a_request_that_meets_nobody_gets_its_turn_with_age() -> None:
    assert turns_of(loner_waited_s=10**6) == ["loner"] * 3 + ["other"] * 8


def test_who_must_be_apart_does_not_step_aside() -> None:
    farm = Farm()

    def loner() -> str:
        here().is_apart = True
        farm.hub.step_aside()
        return "done"

    assert farm.start(loner).result(timeout=0) == "done"


def test_what_a_request_still_needs_is_told_by_all_the_passes_of_a_step() -> None:
    class Noting(Batcher):
        def choose(self, waiting: Sequence[Waiting]) -> tuple[int, ...]:
            needed.extend(each.remaining_s for each in waiting)
            return super().choose(waiting)

    farm, clock, needed = Farm(), Said(), []
    farm.hub, farm.module, clock.seconds = Hub(Noting(64), clock), Adder(), 1.0
    farm.hub.park_point(farm.module, SPEC)

    def guided() -> None:
        for left in (2, 1, 0):
            for _ in range(2):
                farm.module(x=torch.zeros(1, 1), t=0.0)
            farm.module(x=torch.zeros(1, 7), t=0.0)  # of another shape
            here().stepped(left)

    farm.start(guided, Terms(steps=3))
    farm.run()
    # Of the first step it is not known; then three passes of a second each.
    assert needed[3:] == [6.0] * 3 + [3.0] * 3


def test_a_batch_that_ran_out_of_memory_lets_go_of_it_before_it_runs_again() -> None:
    farm, failed, alive = Farm(), [], []
    module = farm.module = Adder()
    real = module.forward

    def limited(x: Tensor, t: Tensor, return_dict: bool = True) -> tuple[Tensor]:
        alive.extend(each() is not None for each in failed)
        if len(x) > 1:
            activations = torch.zeros(len(x))
            failed.append(weakref.ref(activations))
            raise torch.OutOfMemoryError("injected")
        return real(x, t)

    module.forward = limited  # type: ignore[method-assign,assignment]
    farm.hub.park_point(module, SPEC)
    for number in range(4):
        farm.ask(x=torch.zeros(1, 1), t=float(number))
    farm.run()
    assert len(failed) == 3
    assert not any(alive)


def test_a_request_that_failed_leaves_no_tensor_behind_its_error() -> None:
    farm, held = Farm(), []

    def fail() -> None:
        latents = torch.zeros(1, 1)
        held.append(weakref.ref(latents))
        farm.module(x=latents, t=0.0)
        raise ValueError("too bad")

    result = farm.start(fail)
    with pytest.raises(ValueError, match="too bad"):
        farm.run()
    assert isinstance(result.exception(), ValueError)
    assert held[0]() is None


def test_who_waits_for_others_can_be_ended() -> None:
    farm = Farm()

    def ended() -> None:
        raise LeaseLost("canceled")

    waiting = Terms(check=ended)
    farm.ask(x=torch.zeros(1, 1), t=0.0)
    result = farm.start(lambda: farm.hub.wait(lambda: False), waiting)
    farm.hub.tick()
    with pytest.raises(LeaseLost):
        result.result(timeout=0)


def test_a_list_that_has_not_an_item_a_row_is_refused() -> None:
    farm = Farm(CallSpec(rows="x", timestep="t", listed=frozenset({"extra"})))
    farm.ask(x=torch.zeros(2, 1), t=0.0, extra=[1])
    with pytest.raises(TypeError, match="extra has 1 items for 2 rows"):
        farm.run()


def test_whoever_learns_of_rows_is_told_which_arguments_are_lists() -> None:
    class Noting(EveryRow):
        def watch(self, about: Pass) -> AbstractContextManager[None]:
            seen.append(about.listed)
            return super().watch(about)

    farm, seen = Farm(), []
    spec = replace(SPEC, listed=frozenset({"extra"}), ragged=frozenset({"text"}))
    farm.hub, farm.module = Hub(Batcher(64, Noting())), Adder()
    farm.hub.park_point(farm.module, spec)
    farm.ask(x=torch.zeros(1, 1), t=0.0)
    farm.run()
    assert seen == [frozenset({"extra", "text"})]
