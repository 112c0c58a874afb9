"""Named points at which a process can be made to die by SIGKILL: for tests of the farm itself.

`MYRIAD_FAULTS` names a folder. A process that comes to a point while the folder
holds a file of that name takes the file away and kills itself; of several that
come at once, the one that got the file. Without the setting a point costs nothing.
"""

import os
import signal
from pathlib import Path
from typing import Literal, get_args

Point = Literal[
    "after_commit_before_publish",
    "after_take_before_publish",
    "after_claim",
    "mid_step",
    "after_store_before_commit",
    "after_commit_before_ack",
    "before_webhook_row",
    "after_webhook_200_before_mark",
]
POINTS: tuple[Point, ...] = get_args(Point)

_folder: Path | None = None


def listen_in(folder: Path | None) -> None:
    """Look for faults in `folder` from now on; None: never."""
    global _folder
    _folder = folder


def fault(point: Point) -> None:
    """Die here if somebody wants it so."""
    if _folder is None:
        return
    try:
        (_folder / point).unlink()
    except OSError:
        return
    os.kill(os.getpid(), signal.SIGKILL)
