"""Object storage in a folder, for one machine."""

import errno
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from myriad.errors import InvalidRequest, NotFound, StorageUnavailable
from myriad.storage.base import StoredObject
from myriad.storage.key import is_key

_MISSING = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP}


class LocalStorage:
    """Files under `folder`. A reader sees the old bytes or the new, never a part."""

    def __init__(self, folder: Path) -> None:
        with _mapped_errors():
            folder.mkdir(parents=True, exist_ok=True)
            self._root = folder.resolve(strict=True)

    def put(self, key: str, data: bytes, content_type: str) -> StoredObject:
        path = self._path(key)
        if path is None:
            raise InvalidRequest("is no storage key", field="key")
        with _mapped_errors():
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(path, data)
        return StoredObject(key, hashlib.sha256(data).hexdigest(), len(data), content_type)

    def get(self, key: str) -> bytes:
        path = self._path(key)
        if path is None:
            raise NotFound("no such object")
        with _mapped_errors():
            try:
                with open(path, "rb", opener=_open_no_link) as file:
                    return file.read()
            except OSError as error:
                if error.errno in _MISSING:
                    raise NotFound("no such object") from error
                raise

    def delete(self, key: str) -> None:
        path = self._path(key)
        if path is not None:
            with _mapped_errors(), suppress(FileNotFoundError, NotADirectoryError):
                path.unlink()

    def presigned_url(self, key: str, *, ttl: timedelta, content_type: str) -> str | None:
        if self._path(key) is None:
            raise NotFound("no such object")
        return None

    def list_keys(self, prefix: str) -> Iterator[tuple[str, datetime]]:
        folder, _, _ = prefix.rpartition("/")
        start = self._path(folder) if folder else self._root
        if start is None:
            return
        with _mapped_errors():
            for parent, _, names in os.walk(start):
                for name in names:
                    path = Path(parent, name)
                    key = path.relative_to(self._root).as_posix()
                    if key.startswith(prefix) and is_key(key):
                        changed = _changed_at(path)
                        if changed is not None:
                            yield key, changed

    def _path(self, key: str) -> Path | None:
        """Where `key` lives, or None if that is no key or leads out of the folder by a link."""
        if not is_key(key):
            return None
        path = self._root / key
        return path if path.resolve().is_relative_to(self._root) else None


def _open_no_link(path: str, flags: int) -> int:
    """Our own writes never make links: one that appears after the check is someone's game."""
    return os.open(path, flags | os.O_NOFOLLOW)


def _write(path: Path, data: bytes) -> None:
    """Replace `path` in one step; the bytes and the name are on disk before we return."""
    handle, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
    try:
        with open(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _changed_at(path: Path) -> datetime | None:
    """None if the file went away while the folder was being listed."""
    try:
        return datetime.fromtimestamp(path.lstat().st_mtime, UTC)
    except FileNotFoundError:
        return None


@contextmanager
def _mapped_errors() -> Iterator[None]:
    """The one place where the operating system's errors become ours."""
    try:
        yield
    except OSError as error:
        raise StorageUnavailable(f"the storage folder failed: {error.strerror}") from error
