"""A stage that hangs: finding it, and ending the process it hangs in."""

import os
import signal
import time
from collections.abc import Sequence
from threading import Thread

from tasks.control import LeaseControl


def find_hanging(held: Sequence[LeaseControl], stall_s: float) -> list[LeaseControl]:
    """Stages that have begun and been silent for `stall_s`; never any if that is 0.

    One that has not begun waits for its turn, however long: unless nobody on the
    engine has said a word, then it waits for nothing.
    """
    silent = [control for control in held if control.silent_s >= stall_s > 0]
    if len(silent) == len(held):
        return silent
    return [control for control in silent if control.has_begun]


def end_process(grace_s: float) -> None:
    """Leave as after SIGTERM, so that healthy neighbours are handed back; then by SIGKILL.

    A thread that hangs in a driver can be ended in no other way. Returns at once.
    """
    Thread(target=_kill_after, args=(grace_s,), name="end", daemon=True).start()
    os.kill(os.getpid(), signal.SIGTERM)


def _kill_after(grace_s: float) -> None:
    time.sleep(grace_s)
    os.kill(os.getpid(), signal.SIGKILL)
