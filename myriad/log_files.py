"""The log files that `myriad up` writes: put aside each day, deleted when they are old."""

import os
import shutil
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path

from myriad import clock


class LogFiles:
    """`*.log` in `folder`, and what of them was put aside as `*.old`. Days are UTC's."""

    def __init__(self, folder: Path, keep_days: float) -> None:
        self._folder, self._keep_days = folder, keep_days
        # Kept beside the logs: on a machine that is off at midnight a day ends too.
        self._day_file = folder / ".day"
        self._day = self._read_day()

    def sweep(self) -> None:
        """Put the logs aside if a day has ended; delete what was so `keep_days` ago (0: never)."""
        if not self._keep_days:
            return
        today = clock.now().date()
        if today != self._day:
            for path in self._folder.glob("*.log"):
                _put_aside(path, self._day)
            self._write_day(today)
        oldest = (clock.now() - timedelta(days=self._keep_days)).timestamp()
        for path in self._folder.glob("*.old"):
            with suppress(FileNotFoundError):  # another janitor was faster
                if path.stat().st_mtime < oldest:
                    path.unlink()

    def _read_day(self) -> date:
        try:
            return date.fromisoformat(self._day_file.read_text("ascii").strip())
        except (OSError, ValueError):
            today = clock.now().date()
            if self._folder.is_dir():
                with suppress(OSError):
                    self._write_day(today)
            return today

    def _write_day(self, day: date) -> None:
        self._day = day
        self._day_file.write_text(f"{day}\n", "ascii")


def _put_aside(path: Path, day: date) -> None:
    """Copy and empty it: whoever writes it has it open, and appends.

    A line written between the two is lost.
    """
    aside = path.with_suffix(f".{day}.old")
    if path.stat().st_size and not aside.exists():
        shutil.copyfile(path, aside)
        os.truncate(path, 0)
