"""The log files that `myriad up` writes: put aside each day, deleted when they are old."""

import os
import shutil
from datetime import date, timedelta
from pathlib import Path

from myriad import clock


class LogFiles:
    """`*.log` in `folder`, and what of them was put aside as `*.old`. Days are UTC's."""

    def __init__(self, folder: Path, keep_days: float) -> None:
        self._folder, self._keep_days = folder, keep_days
        self._day = clock.now().date()

    def sweep(self) -> None:
        """Put the logs aside if a day has ended; delete what was so `keep_days` ago (0: never)."""
        if not self._keep_days:
            return
        today = clock.now().date()
        if today != self._day:
            for path in self._folder.glob("*.log"):
                _put_aside(path, self._day)
            self._day = today
        oldest = (clock.now() - timedelta(days=self._keep_days)).timestamp()
        for path in self._folder.glob("*.old"):
            if path.stat().st_mtime < oldest:
                path.unlink(missing_ok=True)


def _put_aside(path: Path, day: date) -> None:
    """Copy and empty it: whoever writes it has it open, and appends.

    A line written between the two is lost.
    """
    if path.stat().st_size:
        shutil.copyfile(path, path.with_suffix(f".{day}.old"))
        os.truncate(path, 0)
