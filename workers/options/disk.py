"""Folders for weights that wait on disk: each goes with its module, else with its process."""

import fcntl
import shutil
import tempfile
import weakref
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

from torch import nn

_PREFIX: Final = "myriad-offload-"
_UNNAMED: Final = ".myriad-offload-"
_LOCK: Final = "lock"


def open_folder(module: nn.Module) -> Path:
    """A new one, removed when nobody has `module` any more, or at the end of the process."""
    unnamed = Path(tempfile.mkdtemp(prefix=_UNNAMED))
    lock = (unnamed / _LOCK).open("wb")
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    # Named once it is locked, so that nobody takes it for an orphan.
    folder = unnamed.rename(unnamed.with_name(_PREFIX + unnamed.name.removeprefix(_UNNAMED)))
    weakref.finalize(module, _remove, folder, lock)
    return folder


def remove_orphans() -> None:
    """Remove the folders of processes that were killed: nobody locks them any more."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        # Raises if it is locked, or another user's.
        with suppress(OSError), (folder / _LOCK).open("r+b") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)


def _remove(folder: Path, lock: BinaryIO) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    lock.close()
