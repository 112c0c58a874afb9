"""What happened, as it happened: one JSON object a line."""

import json
import time
from pathlib import Path
from threading import Lock
from typing import Any

Line = dict[str, Any]


class History:
    """An append-only file, written by many threads. `at` is true time, in seconds."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8")
        self._lock = Lock()

    def tell(self, what: str, **facts: Any) -> None:
        """Write one line and have it on its way to the disk."""
        line = json.dumps({"what": what, "at": time.time(), **facts}, ensure_ascii=False)
        with self._lock:
            self._file.write(line + "\n")
            self._file.flush()

    def close(self) -> None:
        self._file.close()


def read_lines(path: Path) -> list[Line]:
    """Every line of a history."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
