"""Held answers: how `Prefer` is read, and that waiting never starves others."""

from collections.abc import Iterator
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from myriad.errors import Busy, DatabaseUnavailable
from tests.processes import wait_until
from web.api.prefer import wait_seconds
from web.wait import WaitingRoom, seats_among

ALICE, BOB = "a" * 32, "b" * 32
ME = "me"


class Jobs:
    """Which jobs live, as the database would say; counts how often it is asked."""

    def __init__(self, *live: str) -> None:
        self.live = set(live)
        self.is_away = False
        self.looks = 0
        self.seen: set[str] = set()

    def __call__(self, job_ids: set[str]) -> set[str]:
        self.looks += 1
        self.seen |= job_ids
        if self.is_away:
            raise DatabaseUnavailable("away")
        return self.live & job_ids


@pytest.fixture
def jobs() -> Jobs:
    return Jobs(ALICE, BOB)


@pytest.fixture
def room(jobs: Jobs) -> Iterator[WaitingRoom]:
    room = WaitingRoom(threads=4, live=jobs, are_shared=lambda: False)
    yield room
    room.close()


def sit(room: WaitingRoom, job_id: str) -> Thread:
    waiter = Thread(target=room.wait, args=(job_id, 60, ME))
    waiter.start()
    return waiter


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0),
        ("", 0),
        ("respond-async", 0),
        ("wait", 60),
        ("Wait", 60),
        ("wait=5", 5),
        ('wait="5"', 5),
        ("respond-async, wait=5; x=y", 5),
        ("wait=0", 0),
        ("wait=999999", 60),
        ("wait=-1", 0),
        ("wait=x", 0),
        ("wait=٥", 0),
        ("waiting=5", 0),
    ],
)
def test_header(header: str | None, seconds: float) -> None:
    assert wait_seconds(header, most=60) == seconds


def test_waits_until_the_job_is_final(room: WaitingRoom, jobs: Jobs) -> None:
    alice, bob = sit(room, ALICE), sit(room, BOB)
    wait_until(lambda: jobs.seen == {ALICE, BOB})
    jobs.live.discard(ALICE)
    alice.join(10)
    assert not alice.is_alive()
    assert bob.is_alive()
    jobs.live.discard(BOB)
    bob.join(10)
    assert not bob.is_alive()


def test_returns_when_time_is_up(room: WaitingRoom) -> None:
    room.wait(ALICE, 0.05, ME)


def test_answers_at_once_when_every_seat_is_taken(room: WaitingRoom, jobs: Jobs) -> None:
    waiters = [sit(room, ALICE), sit(room, BOB)]
    wait_until(lambda: jobs.seen == {ALICE, BOB})
    room.wait("c" * 32, 60, ME)
    assert "c" * 32 not in jobs.seen
    jobs.live.clear()
    for waiter in waiters:
        waiter.join(10)
    room.wait("c" * 32, 60, ME)  # a seat is free again


def test_who_finds_no_seat_is_told_before_anything_is_begun(room: WaitingRoom) -> None:
    seats = [room.take_seat(ME), room.take_seat(ME)]
    with pytest.raises(Busy):
        room.take_seat(ME)
    seats[0].leave()
    seats[0].leave()  # the second time frees nobody else's seat
    with room.take_seat(ME), pytest.raises(Busy):
        room.take_seat(ME)


def test_one_of_several_callers_does_not_wait_at_every_seat(jobs: Jobs) -> None:
    room = WaitingRoom(threads=4, live=jobs, are_shared=lambda: True)
    waiter = sit(room, ALICE)
    wait_until(lambda: jobs.seen == {ALICE})
    room.wait(BOB, 60, ME)  # at once
    assert BOB not in jobs.seen
    room.take_seat("another").leave()
    room.close()
    waiter.join(10)


@given(st.integers(1, 256))
def test_some_threads_are_always_left_for_the_others(threads: int) -> None:
    seats = seats_among(threads)
    assert seats >= 1
    assert threads == 1 or threads - seats >= min(8, threads // 2)
    assert seats >= threads // 2


def test_nobody_waits_for_a_database_that_is_away(room: WaitingRoom, jobs: Jobs) -> None:
    jobs.is_away = True
    room.wait(ALICE, 60, ME)
    jobs.is_away = False
    bob = sit(room, BOB)
    jobs.live.clear()
    bob.join(10)
    assert not bob.is_alive()


def test_closing_lets_everybody_go(jobs: Jobs) -> None:
    room = WaitingRoom(threads=2, live=jobs, are_shared=lambda: False)
    alice = sit(room, ALICE)
    wait_until(lambda: bool(jobs.seen))
    room.close()
    alice.join(10)
    assert not alice.is_alive()
