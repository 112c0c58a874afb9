"""Where finished bytes live: one interface over a folder and an S3 bucket."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol


@dataclass(frozen=True)
class StoredObject:
    """What `put` has made durable; `sha256` is ours, since real servers do not return one."""

    key: str
    sha256: str
    size_bytes: int
    content_type: str


class Storage(Protocol):
    """Keys are made by the server (`images/…`, `artifacts/…`), never by a caller's words.

    A key that is none (see `myriad.storage.key`) names nothing: `put` refuses
    it with InvalidRequest, the others treat it as missing. Every method raises
    StorageUnavailable when the store is away, or full.
    """

    def put(self, key: str, data: bytes, content_type: str) -> StoredObject:
        """Store whole or not at all; the same key may be written again."""
        ...

    def get(self, key: str) -> bytes:
        """The bytes, or NotFound. Raises ObjectDamaged rather than return others."""
        ...

    def delete(self, key: str) -> None:
        """Forget the key; a missing one is no error."""
        ...

    def presigned_url(self, key: str, *, ttl: timedelta, content_type: str) -> str | None:
        """A GET address outside this process, or None if the web front end must serve it.

        The key need not exist: nothing is looked up.
        """
        ...

    def list_keys(self, prefix: str) -> Iterator[tuple[str, datetime]]:
        """Every key that starts with `prefix`, in no order, with its last change (aware UTC)."""
        ...
