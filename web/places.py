"""Places of which there are few, shared fairly among callers."""

from collections import Counter
from collections.abc import Callable
from threading import Lock

from myriad.db.database import Database
from myriad.db.share import has_several_callers


class Places:
    """So many for all callers of this process, and no caller may take them all.

    Where there are several callers, each may hold as many as stay free: one alone half of
    them, two a third each. So there is one for whoever holds none.
    """

    def __init__(self, count: int) -> None:
        self._free = count
        self._held: Counter[str] = Counter()
        self._lock = Lock()

    def take(self, scope: str, are_shared: Callable[[], bool]) -> bool:
        """Whether this caller now holds one more, which it must leave once.

        `are_shared` says whether there are several callers; it is asked only where it matters.
        """
        if self._take(scope, is_fair=True):
            return True
        return not are_shared() and self._take(scope, is_fair=False)

    def leave(self, scope: str) -> None:
        """Give one back that this caller holds."""
        with self._lock:
            self._free += 1
            self._held[scope] -= 1
            if not self._held[scope]:
                del self._held[scope]

    def _take(self, scope: str, *, is_fair: bool) -> bool:
        with self._lock:
            if self._free <= (self._held[scope] if is_fair else 0):
                return False
            self._free -= 1
            self._held[scope] += 1
            return True


def has_several_keys(db: Database) -> bool:
    """Whether there are several API keys now, and places are to be shared."""
    with db.read() as session:
        return has_several_callers(session)
