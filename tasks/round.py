"""Going round and round over what is stored, a few keys at a time."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice

from myriad.storage.base import Storage

KEYS_AT_ONCE = 500
EVER = datetime.min.replace(tzinfo=UTC)


class Round:
    """Where the last look at the keys of `prefix` ended, the next begins."""

    def __init__(self, storage: Storage, prefix: str) -> None:
        self._storage, self._prefix = storage, prefix
        self._ahead: Iterator[tuple[str, datetime]] = iter(())

    def written(self, before: datetime, since: datetime = EVER) -> list[str]:
        """Of the next `KEYS_AT_ONCE` keys those last written between the two."""
        return [key for key, modified in self._next() if since <= modified < before]

    def _next(self) -> list[tuple[str, datetime]]:
        if some := list(islice(self._ahead, KEYS_AT_ONCE)):
            return some
        self._ahead = self._storage.list_keys(self._prefix)
        return list(islice(self._ahead, KEYS_AT_ONCE))
