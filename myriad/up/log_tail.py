"""The lines of a growing log file that someone at the console should see."""

import os
import re
from pathlib import Path

_SERIOUS = re.compile(
    rb'\[(?:warning|error|critical)\s*\]|"level": ?"(?:warning|error|critical)"', re.IGNORECASE
)
_MAX_READ_BYTES = 64 * 1024


class LogTail:
    """Follows `path` from its present end; the file is made if it is not there."""

    def __init__(self, path: Path) -> None:
        path.touch()
        self._file = path.open("rb")
        self._file.seek(0, os.SEEK_END)
        self._rest = b""

    def warnings(self) -> list[str]:
        """The complete lines since the last call that are of level warning or above."""
        if self._file.tell() > os.fstat(self._file.fileno()).st_size:
            self._file.seek(0)  # it was put aside, and begins anew
        *lines, self._rest = (self._rest + self._file.read(_MAX_READ_BYTES)).split(b"\n")
        return [line.decode("utf-8", "replace") for line in lines if _SERIOUS.search(line)]

    def close(self) -> None:
        """Give the file back."""
        self._file.close()
