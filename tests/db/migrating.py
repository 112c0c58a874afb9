"""`python -m tests.db.migrating URL die INDEX | meet FOLDER`: a migration of its own process.

`die` kills it as it is about to make that index; `meet` has it wait, once connected,
until there is a file `go` in the folder.
"""

import os
import signal
import sys
import time
from pathlib import Path

from sqlalchemy import Engine, event

from myriad.db.migrate import upgrade


def die_before(index: str) -> None:
    @event.listens_for(Engine, "before_cursor_execute")
    def _look(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("CREATE INDEX") and f"{index} ON" in statement:
            os.kill(os.getpid(), signal.SIGKILL)


def meet_in(folder: Path) -> None:
    @event.listens_for(Engine, "connect")
    def _wait(*_: object) -> None:
        (folder / f"here-{os.getpid()}").touch()
        while not (folder / "go").exists():
            time.sleep(0.01)


if __name__ == "__main__":
    url, what, where = sys.argv[1:]
    die_before(where) if what == "die" else meet_in(Path(where))
    upgrade(url)
