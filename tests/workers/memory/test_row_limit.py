"""The number of rows that fit: the formula, what the allocator teaches, and the caps."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.memory.row_limit import RowLimit
from workers.memory.row_memory import RowMemory

GIB = 2**30
MEMORY = RowMemory(a_bytes=50, b_bytes=10)


@given(
    free=st.integers(0, 10**12),
    weights=st.integers(0, 10**11),
    a=st.integers(0, 10**10),
    b=st.integers(1, 10**9),
    k=st.floats(0.5, 3),
)
def test_the_formula(free: int, weights: int, a: int, b: int, k: float) -> None:
    limit = RowLimit(RowMemory(a, b), lambda: free, weights, k)
    assert limit.max_rows() == max(1, int((free * 0.85 - weights - a) / (k * b)))


def test_sd_1_5_at_512_on_a_card_of_8_gib() -> None:
    memory = RowMemory(0, 68_311_684)
    assert RowLimit(memory, lambda: 8 * GIB, weights_bytes=2 * GIB).max_rows() == 44
    assert RowLimit(memory, lambda: 1 * GIB, weights_bytes=2 * GIB).room_rows() == 0
    assert RowLimit(memory, lambda: 1 * GIB, weights_bytes=2 * GIB).max_rows() == 1


def test_free_memory_is_asked_anew() -> None:
    free = [1_000]
    limit = RowLimit(MEMORY, lambda: free[0], k=1.0)
    assert limit.max_rows() == 80
    free[0] = 500
    assert limit.max_rows() == 37


def test_a_device_that_cannot_tell_its_free_memory_is_bounded_by_the_cap_alone() -> None:
    limit = RowLimit(MEMORY, lambda: None)
    assert limit.max_rows() == inf
    limit.out_of_memory(8)
    assert limit.max_rows() == 4


def test_the_allocator_teaches_k() -> None:
    limit = RowLimit(MEMORY, lambda: 1_000)
    assert limit.k == 1.7
    limit.observe(4, 50 + 4 * 10)
    assert limit.k == pytest.approx(1.1)
    assert limit.max_rows() == 72
    limit.observe(4, 50 + 4 * 20)
    assert limit.k == pytest.approx(2.2)
    for _ in range(16):  # the worst of the last calls, not of all times
        limit.observe(8, 50 + 8 * 10)
    assert limit.k == pytest.approx(1.1)


def test_a_call_that_shows_nothing_teaches_nothing() -> None:
    limit = RowLimit(MEMORY, lambda: 1_000)
    limit.observe(1, 0)
    assert limit.k == 1.7
    empty = RowLimit(RowMemory(0, 0), lambda: 1_000)
    empty.observe(1, 100)
    assert empty.max_rows() > 0


def test_out_of_memory_lowers_the_cap_and_time_raises_it() -> None:
    limit = RowLimit(MEMORY, lambda: 1_000, k=1.0)
    limit.out_of_memory(20)
    assert limit.max_rows() == 10
    peak = MEMORY.peak_bytes(10)
    for _ in range(199):
        limit.observe(10, peak)
        limit.observe(3, MEMORY.peak_bytes(3))  # below the cap: says nothing about it
    assert limit.max_rows() == 10
    limit.observe(10, peak)
    assert limit.max_rows() == 12
    limit.out_of_memory(12)  # wrong: the next try comes later
    assert limit.max_rows() == 6
    for _ in range(399):
        limit.observe(6, MEMORY.peak_bytes(6))
    assert limit.max_rows() == 6


def test_a_cap_is_never_below_one_row() -> None:
    limit = RowLimit(MEMORY, lambda: 1_000)
    for rows in (3, 1, 1):
        limit.out_of_memory(rows)
        assert limit.max_rows() == 1


def test_the_line_through_two_points() -> None:
    memory = RowMemory.through((8, 180), (2, 120))
    assert memory == RowMemory(100, 10)
    assert memory.peak_bytes(3) == 130
    assert RowMemory.through((2, 20), (8, 80)) == RowMemory(0, 10)
