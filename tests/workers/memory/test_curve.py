"""The throughput curve on devices of every temper."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.memory.curve import ThroughputCurve

Cost = Callable[[int], float]


def saturating(most: int) -> Cost:
    """A device that takes `most` rows in the time of one."""
    return lambda rows: 0.01 * max(1.0, rows / most)


def superlinear(rows: int) -> float:
    return 0.01 * rows**1.5


def drive(
    curve: ThroughputCurve,
    cost: Cost,
    *,
    forwards: int,
    available: int,
    unit: int = 1,
    noise: Callable[[], float] = lambda: 1.0,
) -> list[int]:
    """What the curve chooses, forward by forward, with as many rows waiting each time."""
    chosen = []
    for _ in range(forwards):
        rows = curve.best_rows("key", available, unit)
        curve.observe("key", rows, cost(rows) * noise())
        chosen.append(rows)
    return chosen


def noise_of(seed: int, outliers: float = 0.0) -> Callable[[], float]:
    """Up to 10 % slower, and now and then ten times."""
    draw = random.Random(seed)
    return lambda: draw.uniform(1.0, 1.1) * (10.0 if draw.random() < outliers else 1.0)


@given(
    unit=st.integers(1, 16),
    available=st.integers(1, 300),
    measured=st.lists(st.tuples(st.integers(1, 300), st.floats(1e-4, 10)), max_size=30),
)
def test_never_more_than_there_are_nor_less_than_a_request(
    unit: int, available: int, measured: list[tuple[int, float]]
) -> None:
    curve = ThroughputCurve()
    for rows, seconds in measured:
        curve.observe("key", rows, seconds)
    available = max(unit, available)
    rows = curve.best_rows("key", available, unit)
    assert unit <= rows <= available
    assert rows % unit == 0 or rows == available


@given(unit=st.integers(1, 4), requests=st.integers(2, 64), seed=st.integers(0, 999))
def test_where_batches_cost_more_requests_run_alone(unit: int, requests: int, seed: int) -> None:
    curve = ThroughputCurve()
    first = drive(
        curve, superlinear, forwards=6, available=unit * requests, unit=unit, noise=noise_of(seed)
    )
    assert first == [unit] * 3 + [2 * unit] * 3
    later = drive(
        curve, superlinear, forwards=60, available=unit * requests, unit=unit, noise=noise_of(seed)
    )
    assert later == [unit] * 60


@given(power=st.integers(0, 5), seed=st.integers(0, 999))
def test_settles_at_the_largest_useful_count(power: int, seed: int) -> None:
    curve = ThroughputCurve()
    most = 2**power
    chosen = drive(curve, saturating(most), forwards=60, available=64)
    assert set(chosen[-20:]) == {most}


@given(power=st.integers(0, 5), seed=st.integers(0, 999))
def test_noise_and_outliers_cost_little(power: int, seed: int) -> None:
    curve = ThroughputCurve()
    most = 2**power
    chosen = drive(curve, saturating(most), forwards=400, available=64, noise=noise_of(seed, 0.05))[
        50:
    ]
    seconds = sum(map(saturating(most), chosen))
    assert sum(chosen) / seconds >= 0.93 * most / saturating(most)(most)


@given(per_row=st.floats(1e-4, 1.0), available=st.integers(1, 64), seed=st.integers(0, 999))
def test_a_linear_device_loses_nothing(per_row: float, available: int, seed: int) -> None:
    curve = ThroughputCurve()
    seconds = 0.0
    rows = 0
    for _ in range(100):
        chosen = curve.best_rows("key", available, 1)
        seconds += per_row * chosen
        rows += chosen
        curve.observe("key", chosen, per_row * chosen)
    assert seconds == pytest.approx(rows * per_row)


@given(exponent=st.floats(0.2, 2.0), requests=st.integers(2, 32), seed=st.integers(0, 99))
def test_batching_never_costs_more_than_it_gives(exponent: float, requests: int, seed: int) -> None:
    curve = ThroughputCurve()
    cost = lambda rows: 0.01 * rows**exponent  # noqa: E731
    chosen = drive(curve, cost, forwards=2_000, available=requests, noise=noise_of(seed))
    alone = sum(chosen) * cost(1)
    assert sum(cost(rows) for rows in chosen) <= alone * 1.03


def test_a_first_call_that_compiles_is_forgiven() -> None:
    curve = ThroughputCurve()
    seen: set[int] = set()

    def compiling(rows: int) -> float:
        slow = rows not in seen
        seen.add(rows)
        return 60.0 if slow else saturating(8)(rows)

    assert set(drive(curve, compiling, forwards=40, available=8)[-20:]) == {8}


def test_outliers_do_not_unsettle() -> None:
    curve = ThroughputCurve()
    drive(curve, saturating(8), forwards=20, available=8)
    for _ in range(3):
        curve.observe("key", 8, 5.0)
    assert curve.best_rows("key", 8, 1) == 8


def test_a_device_that_changes_is_noticed() -> None:
    curve = ThroughputCurve()
    drive(curve, superlinear, forwards=50, available=8)
    assert drive(curve, superlinear, forwards=1, available=8) == [1]
    # What was poor is tried again, rarely, and found good.
    chosen = drive(curve, saturating(8), forwards=20_000, available=8)
    assert chosen[-100:].count(8) >= 95
    # What was good is run all the time, so that it is noticed at once when it is no longer.
    assert set(drive(curve, superlinear, forwards=100, available=8)[-10:]) == {1}


def test_counts_between_measured_ones_are_estimated() -> None:
    curve = ThroughputCurve()
    drive(curve, saturating(16), forwards=40, available=16)
    assert curve.best_rows("key", 11, 1) == 11
    assert curve.best_rows("key", 3, 1) == 3


def test_larger_requests_first_do_not_hide_single_ones() -> None:
    curve = ThroughputCurve()
    drive(curve, superlinear, forwards=10, available=8, unit=8)
    assert drive(curve, superlinear, forwards=10, available=8)[-3:] == [1] * 3


def test_shapes_are_apart_and_bounded() -> None:
    curve = ThroughputCurve()
    drive(curve, superlinear, forwards=10, available=8)
    assert curve.rows_per_second("other") == {}
    assert curve.rows_per_second("key")[1] == pytest.approx(100)
    for number in range(2_000):
        curve.observe(number, 1, 1.0)
    assert curve.rows_per_second("key") == {}
