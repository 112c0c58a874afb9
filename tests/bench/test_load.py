"""Arrivals that wait for nobody, and honest bookkeeping of what became of them."""

import asyncio
import json
import math
import statistics

import pytest

from bench.load import (
    Answer,
    Outcome,
    closed_loop,
    open_loop,
    percentile,
    poisson_arrivals,
    summary,
)


def test_gaps_are_exponential():
    times = poisson_arrivals(rate_per_s=4, count=20_000, seed=1)
    gaps = [later - earlier for earlier, later in zip([0.0, *times], times, strict=False)]
    assert min(gaps) >= 0
    assert statistics.mean(gaps) == pytest.approx(0.25, rel=0.03)
    assert statistics.stdev(gaps) == pytest.approx(0.25, rel=0.03)
    assert sum(gap > 0.25 for gap in gaps) / len(gaps) == pytest.approx(math.exp(-1), abs=0.01)


def test_counts_in_a_second_vary_as_much_as_their_mean():
    times = poisson_arrivals(rate_per_s=6, count=30_000, seed=2)
    counts = [0] * int(times[-1])
    for at_s in times:
        if at_s < len(counts):
            counts[int(at_s)] += 1
    assert statistics.mean(counts) == pytest.approx(6, rel=0.03)
    assert statistics.variance(counts) == pytest.approx(6, rel=0.1)


def test_arrivals_belong_to_their_seed():
    assert poisson_arrivals(2, 50, seed=3) == poisson_arrivals(2, 50, seed=3)
    assert poisson_arrivals(2, 50, seed=3) != poisson_arrivals(2, 50, seed=4)


def test_percentile_is_a_value_that_occurred():
    values = [float(number) for number in range(1, 101)]
    assert percentile(values, 0.5) == 50
    assert percentile(values, 0.95) == 95
    assert percentile(values[:1], 0.95) == 1
    assert math.isnan(percentile([], 0.5))


def test_shed_requests_count_against_the_share_and_not_the_latency():
    answers = [
        Answer(Outcome.ANSWERED, 0.0, 1.0),
        Answer(Outcome.ANSWERED, 1.0, 5.0),
        Answer(Outcome.SHED, 2.0, 2.1),
        Answer(Outcome.UNANSWERED, 3.0, 9.0),
    ]
    found = summary(answers, within_s=2)
    assert (found.offered, found.answered, found.shed, found.unanswered) == (4, 2, 1, 1)
    assert (found.p50_s, found.p95_s) == (1.0, 4.0)
    assert found.share_within == 0.25
    assert found.throughput_per_s == pytest.approx(2 / 5)


def test_a_load_that_nothing_answered_is_valid_json():
    found = summary([Answer(Outcome.SHED, 0.5, 0.6)])
    assert json.loads(json.dumps(found.figures(), allow_nan=False))["p95_s"] is None


def test_open_loop_sends_though_nothing_is_answered():
    """Nobody is answered before all have been sent: a loop that waits would never end."""
    count, sent = 20, []

    async def play() -> list[Answer]:
        all_sent = asyncio.Event()

        async def send(number: int) -> Outcome:
            sent.append(number)
            if len(sent) == count:
                all_sent.set()
            await all_sent.wait()
            return Outcome.ANSWERED

        return await open_loop([0.001 * place for place in range(count)], send, patience_s=30)

    answers = asyncio.run(play())
    assert [answer.outcome for answer in answers] == [Outcome.ANSWERED] * count


def test_latency_counts_from_the_intended_time():
    """A server that takes one request at a time makes the later ones late, and that shows."""
    service_s = 0.01

    async def play() -> list[Answer]:
        desk = asyncio.Lock()

        async def send(number: int) -> Outcome:
            async with desk:
                await asyncio.sleep(service_s)
            return Outcome.ANSWERED

        return await open_loop([0.0] * 10, send, patience_s=30)

    latencies = sorted(answer.latency_s for answer in asyncio.run(play()))
    for place, latency_s in enumerate(latencies, start=1):
        assert latency_s >= 0.9 * place * service_s


def test_what_is_not_answered_in_time_is_given_up():
    async def send(number: int) -> Outcome:
        await asyncio.sleep(3600 if number else 0)
        return Outcome.ANSWERED

    answers = asyncio.run(open_loop([0.0, 0.0], send, patience_s=0.5))
    assert [answer.outcome for answer in answers] == [Outcome.ANSWERED, Outcome.UNANSWERED]


def test_closed_loop_keeps_its_number_in_flight():
    in_flight = most = 0

    async def send(number: int) -> Outcome:
        nonlocal in_flight, most
        in_flight += 1
        most = max(most, in_flight)
        await asyncio.sleep(0)
        in_flight -= 1
        return Outcome.ANSWERED

    answers = asyncio.run(closed_loop(30, 4, send, patience_s=30))
    assert (len(answers), most) == (30, 4)
