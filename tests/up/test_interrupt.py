"""Once means cleanly, twice means now."""

import os
import signal

from myriad.up.interrupt import listen


def test_counts_signals_and_then_leaves_them_alone() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with listen() as interrupt:
        assert not interrupt.is_asked()
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupt.is_asked()
        assert not interrupt.is_urgent()
        os.kill(os.getpid(), signal.SIGTERM)
        assert interrupt.is_urgent()
    assert signal.getsignal(signal.SIGTERM) is before
