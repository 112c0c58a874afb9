"""Who shares a forward pass, and whose turn it is."""

from workers.batching.batcher import Batcher, Waiting


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


def test_no_group_starves() -> None:
    batcher, tickets = Batcher(8), iter(range(100, 200))
    waiting = [Waiting(1, "short", 1), Waiting(2, "short", 1), Waiting(3, "long", 1)]
    ran = []
    for _ in range(6):
        chosen = batcher.choose(waiting)
        ran.append(next(call.key for call in waiting if call.ticket == chosen[0]))
        waiting = [
            Waiting(next(tickets), call.key, call.rows) if call.ticket in chosen else call
            for call in waiting
        ]
    assert ran == ["short", "long"] * 3


def test_nobody_waits_nothing_runs() -> None:
    assert Batcher(8).choose([]) == ()
