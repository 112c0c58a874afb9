"""Load as the world sends it: arrivals that wait for nobody, and what became of each.

Open loop: requests are sent at times drawn beforehand, however late the answers are,
and a latency counts from the time a request was *meant* to be sent. A generator that
waits for answers, or starts its clock when it gets round to sending, hides exactly the
delays a queue causes (coordinated omission; Tene, "How NOT to Measure Latency").
"""

import asyncio
import math
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """What became of one request."""

    ANSWERED = "answered"
    SHED = "shed"  # refused because the server has too much to do
    FAILED = "failed"
    UNANSWERED = "unanswered"  # not within the patience of the measurement


@dataclass(frozen=True)
class Answer:
    """One request; both times in seconds since the start of the load."""

    outcome: Outcome
    intended_s: float
    ended_s: float

    @property
    def latency_s(self) -> float:
        return self.ended_s - self.intended_s


@dataclass(frozen=True)
class Summary:
    """One load in figures. Latencies are of answered requests; nan where there is none."""

    offered: int
    answered: int
    shed: int
    failed: int
    unanswered: int
    throughput_per_s: float
    p50_s: float
    p95_s: float
    within_s: float
    share_within: float
    """Answers within `within_s` among all that were offered, shed and failed ones included."""

    def figures(self) -> dict[str, float | None]:
        """For JSON, which knows no nan: null instead."""
        values = asdict(self).items()
        return {name: None if math.isnan(value) else value for name, value in values}


Send = Callable[[int], Awaitable[Outcome]]
"""Sends request number i and returns what became of it."""


def poisson_arrivals(rate_per_s: float, count: int, seed: int) -> list[float]:
    """`count` arrival times in seconds, rising, with exponential gaps of mean 1 / rate."""
    gaps = random.Random(seed)
    now, times = 0.0, []
    for _ in range(count):
        now += gaps.expovariate(rate_per_s)
        times.append(now)
    return times


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` (0 to 1) of the values do not exceed."""
    if not values:
        return math.nan
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def summary(answers: Sequence[Answer], within_s: float = 2.0) -> Summary:
    """The figures of one load; throughput counts from the first arrival to the last answer."""
    counts = Counter(answer.outcome for answer in answers)
    good = [answer for answer in answers if answer.outcome is Outcome.ANSWERED]
    latencies = [answer.latency_s for answer in good]
    span_s = max((a.ended_s for a in good), default=0.0) - min(
        (a.intended_s for a in answers), default=0.0
    )
    return Summary(
        offered=len(answers),
        answered=len(good),
        shed=counts[Outcome.SHED],
        failed=counts[Outcome.FAILED],
        unanswered=counts[Outcome.UNANSWERED],
        throughput_per_s=len(good) / span_s if span_s > 0 else math.nan,
        p50_s=percentile(latencies, 0.5),
        p95_s=percentile(latencies, 0.95),
        within_s=within_s,
        share_within=sum(latency <= within_s for latency in latencies) / max(1, len(answers)),
    )


async def open_loop(arrivals: Sequence[float], send: Send, patience_s: float) -> list[Answer]:
    """Send request i at `arrivals[i]`; what is out `patience_s` after the last is given up."""
    now = asyncio.get_running_loop().time
    start_s = now()
    end_s = start_s + arrivals[-1] + patience_s

    async def one(number: int, intended_s: float) -> Answer:
        await asyncio.sleep(start_s + intended_s - now())
        outcome = await _patiently(send, number, end_s)
        return Answer(outcome, intended_s, now() - start_s)

    return await asyncio.gather(*(one(i, at_s) for i, at_s in enumerate(arrivals)))


async def closed_loop(count: int, in_flight: int, send: Send, patience_s: float) -> list[Answer]:
    """`count` requests, always `in_flight` of them out: what a server gives at most.

    Good for throughput alone: latencies here say more about `in_flight` than the server.
    What is out after `patience_s` is given up.
    """
    now = asyncio.get_running_loop().time
    start_s = now()
    numbers = iter(range(count))
    answers: list[Answer] = []

    async def lane() -> None:
        for number in numbers:
            sent_s = now() - start_s
            outcome = await _patiently(send, number, start_s + patience_s)
            answers.append(Answer(outcome, sent_s, now() - start_s))

    await asyncio.gather(*(lane() for _ in range(in_flight)))
    return answers


async def _patiently(send: Send, number: int, end_s: float) -> Outcome:
    """What came of the request, given up at `end_s` of the loop's clock."""
    try:
        async with asyncio.timeout_at(end_s):
            return await send(number)
    except TimeoutError:
        return Outcome.UNANSWERED
