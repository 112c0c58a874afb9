"""Calls that lead to another shared module go before those that wait there."""

from workers.batching.batcher import Batcher, Waiting


def test_who_precedes_goes_first_but_not_before_who_is_pressed() -> None:
    batcher = Batcher(max_rows=8)
    old = Waiting(ticket=1, key="unet", rows=2, waited_s=9.0)
    new = Waiting(ticket=2, key="net", rows=2, precedes_another=True)
    pressed = Waiting(ticket=3, key="other", rows=2, slack_s=0.5)
    assert batcher.choose([old, new]) == (2,)
    assert batcher.choose([old, new, pressed]) == (3,)
