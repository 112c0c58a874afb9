"""Who shares a forward pass, and whose turn it is."""

from collections.abc import Hashable

from workers.batching.batcher import Batcher, Waiting
from workers.batching.policy import EveryRow


def test_the_oldest_call_picks_the_key() -> None:
    waiting = [Waiting(3, "b", 2), Waiting(1, "a", 2), Waiting(2, "b", 2), Waiting(4, "a", 2)]
    assert Batcher(8).choose(waiting) == (1, 4)


def test_rows_are_bounded_and_the_young_wait() -> None:
    waiting = [Waiting(ticket, "a", 2) for ticket in range(1, 6)]
    assert Batcher(4).choose(waiting) == (1, 2)


def test_a_smaller_call_fills_the_gap() -> None:
    waiting = [Waiting(1, "a", 3), Waiting(2, "a", 2), Waiting(3, "a", 1)]
    assert Batcher(4).choose(waiting) == (1, 3)


def test_a_call_too_large_for_any_batch_still_runs() -> None:
    assert Batcher(4).choose([Waiting(1, "a", 16), Waiting(2, "a", 1)]) == (1,)


def test_a_short_job_overtakes_a_long_one_that_has_waited_longer() -> None:
    video = Waiting(1, "video", 1, waited_s=50.0, remaining_s=100.0)
    image = Waiting(2, "image", 1, waited_s=0.6, remaining_s=1.0)
    assert Batcher(8).choose([video, image]) == (2,)


def test_in_a_stream_of_short_jobs_the_long_one_keeps_its_turns() -> None:
    """On a clock of our own: each turn takes a second, and the next short job is there at once."""
    now_s, arrived_s, turns = 0.0, 0.0, []
    for _ in range(200):
        long = Waiting(1, "long", 1, waited_s=now_s, remaining_s=300.0 - turns.count(1))
        short = Waiting(2, "short", 1, waited_s=now_s - arrived_s, remaining_s=1.0)
        turns += Batcher(8).choose([long, short])
        now_s += 1.0
        if turns[-1] == 2:
            arrived_s = now_s
    assert turns.count(1) >= 66
    assert turns.count(2) >= 66


def test_a_deadline_that_would_be_missed_goes_first() -> None:
    old = Waiting(1, "a", 1, waited_s=50.0, remaining_s=1.0)
    pressed = Waiting(2, "b", 1, waited_s=0.0, remaining_s=2.0, slack_s=0.5)
    easy = Waiting(3, "c", 1, waited_s=0.0, remaining_s=2.0, slack_s=60.0)
    assert Batcher(8).choose([old, pressed, easy]) == (2,)
    assert Batcher(8).choose([old, easy]) == (1,)


def test_a_deadline_that_is_lost_already_overtakes_nobody() -> None:
    old = Waiting(1, "a", 1, waited_s=50.0, remaining_s=1.0)
    late = Waiting(2, "b", 1, waited_s=0.0, remaining_s=2.0, slack_s=-5.0)
    assert Batcher(8).choose([old, late]) == (1,)


def test_a_bucket_takes_its_very_number_of_rows_whatever_the_policy_says() -> None:
    waiting = [Waiting(ticket, "a", 2, bucket=4) for ticket in range(1, 5)]
    assert Batcher(2).choose(waiting) == (1, 2)


def test_the_policy_says_how_many_rows_pay() -> None:
    class Pairs(EveryRow):
        def best_rows(self, shape: Hashable, available: int, unit: int) -> int:
            return 2 * unit

    waiting = [Waiting(ticket, "a", 2) for ticket in range(1, 6)]
    assert Batcher(64, Pairs()).choose(waiting) == (1, 2)


def test_nobody_waits_nothing_runs() -> None:
    assert Batcher(8).choose([]) == ()
