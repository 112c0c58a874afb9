"""The clock of all the farm's processes, to be set at will."""

import os
from pathlib import Path


class ClockFile:
    """Seconds by which `myriad.clock` is off in every process that follows this file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset_s = 0.0
        self.set(0.0)

    def set(self, offset_s: float) -> None:
        """Step to true time and `offset_s`, for all processes at the same moment."""
        fresh = self.path.with_suffix(".new")
        fresh.write_text(str(offset_s))
        self.offset_s = offset_s
        os.replace(fresh, self.path)
