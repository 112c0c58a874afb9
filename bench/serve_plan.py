"""What `bench.serve` asks of each server: the requests, and the loads one after another."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from bench.contender import Ask
from bench.load import Answer, Send, closed_loop, open_loop, poisson_arrivals

STEPS = (10, 20, 20, 20, 30)
COLOURS = ("red", "green", "blue", "yellow", "purple", "orange", "white", "black")
SHAPES = ("circle", "square", "triangle", "star", "diamond", "cross", "ring", "heart")
SEED = 7
ARRIVALS_SEED = 11
PATIENCE_S = 45.0


def ask(number: int, deadline_s: float | None = None) -> Ask:
    """Request `number`: step counts in turns, prompts that differ, one seed."""
    colour, shape = COLOURS[number % 8], SHAPES[number // 8 % 8]
    prompt = f"a {colour} {shape} on a gray background, take {number}"
    return Ask(prompt, SEED, STEPS[number % len(STEPS)], deadline_s)


def patience_s(end_s: float) -> float:
    """How long to wait for answers when all must be over at `end_s` of time.monotonic."""
    return max(0.0, min(PATIENCE_S, end_s - time.monotonic()))


class Leg(Protocol):
    """One load on one server, over at `end_s` of time.monotonic."""

    @property
    def name(self) -> str: ...

    @property
    def deadline_s(self) -> float | None: ...

    async def play(self, send: Send, end_s: float) -> list[Answer]: ...


@dataclass(frozen=True)
class Saturation:
    """As many images as a server gives while `in_flight` are always asked for."""

    count: int
    in_flight: int
    name: str = "saturation"
    deadline_s: float | None = None

    async def play(self, send: Send, end_s: float) -> list[Answer]:
        return await closed_loop(self.count, self.in_flight, send, patience_s(end_s))


@dataclass(frozen=True)
class Rate:
    """Poisson arrivals for `seconds`, at the same times for every server."""

    per_s: float
    seconds: float
    deadline_s: float | None = None

    @property
    def name(self) -> str:
        return f"{self.per_s:g}/s"

    async def play(self, send: Send, end_s: float) -> list[Answer]:
        count = max(1, round(self.per_s * self.seconds))
        arrivals = poisson_arrivals(self.per_s, count, ARRIVALS_SEED)
        return await open_loop(arrivals, send, patience_s(end_s - arrivals[-1]))


@dataclass(frozen=True)
class Plan:
    """All loads; `limit_s` bounds one server's share of the time, its start included.

    `deadline_s` is told with each request beyond saturation, where some must go without.
    """

    rates: tuple[float, ...]
    overload: float
    seconds: float
    saturation_count: int
    in_flight: int
    limit_s: float
    deadline_s: float | None = None

    def legs(self) -> Iterator[Leg]:
        """Saturation, the rates, and the load beyond saturation last."""
        yield Saturation(self.saturation_count, self.in_flight)
        for rate in self.rates:
            yield Rate(rate, self.seconds)
        yield Rate(self.overload, self.seconds, self.deadline_s)
