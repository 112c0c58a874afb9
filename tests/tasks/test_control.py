"""A stage's line to the outside: paces, deadlines, signs of life, and previews."""

import time
from dataclasses import replace
from datetime import timedelta

import pytest

from myriad import clock
from myriad.errors import DeadlineExceeded, LeaseLost, Preempted
from myriad.lease import Lease
from myriad.redis_client import connect_redis
from myriad.settings import Settings
from myriad.signals import PREVIEW_BYTES, Signals
from tasks.control import LeaseControl, Pace
from tasks.stall import find_hanging
from tests.tasks.test_checkpoint import LEASE

NO_PACE = Settings(preview_every_s=0, checkpoint_every_s=0)


def make_control(lease: Lease = LEASE, settings: Settings = NO_PACE) -> LeaseControl:
    return LeaseControl(lease, settings, keep=lambda *_: None)


def test_a_pace_of_zero_is_never_due() -> None:
    assert not any(Pace(0).is_due() for _ in range(3))


def test_what_is_due_is_due_once() -> None:
    pace = Pace(1e-9)
    assert pace.is_due()
    slow = Pace(3600)
    assert not slow.is_due()


def test_the_first_reason_to_stop_stands() -> None:
    control = make_control()
    control.check()
    control.stop(Preempted("more urgent"))
    control.stop(LeaseLost("canceled"))
    with pytest.raises(Preempted):
        control.check()


def test_a_deadline_that_passed_stops_the_stage() -> None:
    make_control(deadline(in_s=60)).check()
    with pytest.raises(DeadlineExceeded):
        make_control(deadline(in_s=-1)).check()


def deadline(in_s: float) -> Lease:
    return replace(LEASE, deadline_at=clock.now() + timedelta(seconds=in_s))


def test_progress_and_previews_are_told_once_and_the_last_only() -> None:
    control = make_control()
    assert (control.take_fraction(), control.take_preview()) == (None, None)
    for done in (1, 2):
        control.progress(done, 4)
        control.preview(bytes([done]))
    assert (control.take_fraction(), control.take_preview()) == (0.5, b"\2")
    assert (control.take_fraction(), control.take_preview()) == (None, None)


def test_only_who_has_begun_can_hang_beside_one_who_works() -> None:
    working, stuck, waiting = make_control(), make_control(), make_control()
    held = [working, stuck, waiting]
    stuck.check()
    limit = 0.5
    time.sleep(limit)
    working.check()
    assert find_hanging(held, limit) == [stuck]
    assert find_hanging(held, 0) == []
    assert find_hanging(held, 3600) == []
    assert find_hanging([], limit) == []
    # Nobody works: those that wait, wait for nothing.
    assert find_hanging([stuck, waiting], limit) == [stuck, waiting]


def test_a_preview_is_bounded_and_forgotten(redis_url: str) -> None:
    with connect_redis(redis_url) as redis:
        signals = Signals(redis)
        assert signals.preview("job") is None
        signals.set_preview("job", b"x" * PREVIEW_BYTES)
        signals.set_preview("job", b"y" * (PREVIEW_BYTES + 1))
        assert signals.preview("job") == b"x" * PREVIEW_BYTES
        assert redis.ttl("myriad:preview:job") > 0
        signals.forget_preview("job")
        assert signals.preview("job") is None


def test_one_of_many_makes_room(redis_url: str) -> None:
    with connect_redis(redis_url) as redis:
        signals = Signals(redis)
        assert [signals.enter_contest("a", 60) for _ in range(3)] == [True, False, False]
        assert signals.enter_contest("b", 60)


def test_signals_may_be_lost() -> None:
    with connect_redis("redis://127.0.0.1:1/0") as nobody:
        signals = Signals(nobody)
        signals.set_preview("job", b"x")
        signals.forget_preview("job")
        assert signals.preview("job") is None
        assert not signals.enter_contest("job", 60)
