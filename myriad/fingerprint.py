"""A short name for the exact contents of a model's folder or file."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

_SAMPLE_BYTES = 1 << 20


def fingerprint(path: Path) -> str:
    """16 hex digits over every file's path, size, head and tail (1 MiB each).

    Head and tail of a weights file hold its header and about a million trained
    values, so two trainings differ there; hashing gigabytes whole at every
    start would cost minutes and tell no more.
    """
    if path.is_file():
        return _digest([path], path.parent)
    return _digest(sorted(path.rglob("*")), path)


def _digest(paths: Iterable[Path], folder: Path) -> str:
    digest = hashlib.sha256()
    for path in paths:
        if path.is_file() and not path.name.endswith(".md"):
            digest.update(
                f"{path.relative_to(folder).as_posix()}\0{path.stat().st_size}\0".encode()
            )
            digest.update(_sample(path))
    return digest.hexdigest()[:16]


def _sample(path: Path) -> bytes:
    with path.open("rb") as file:
        head = file.read(_SAMPLE_BYTES)
        size = path.stat().st_size
        if size <= _SAMPLE_BYTES:
            return head
        file.seek(max(_SAMPLE_BYTES, size - _SAMPLE_BYTES))
        return head + file.read()
