"""Files of the Hugging Face hub: found in its cache here, or downloaded while others work."""

import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock, Thread
from typing import Final, TypeVar

import structlog
from huggingface_hub import snapshot_download
from huggingface_hub.utils.tqdm import disable_progress_bars

from myriad.errors import ModelNotLoadable, ModelUnavailable, StageError

Result = TypeVar("Result")

# How soon a job that waits for a download hears that it must stop.
_LOOK_EVERY_S: Final = 0.5
_NEVER: Final = ["*.fp16*", "*.bf16*", "*.non_ema*"]

_log = structlog.get_logger(__name__)

# A worker's output is its log: no bars that redraw themselves.
disable_progress_bars()


@dataclass(frozen=True)
class Files:
    """Those of a repository's revision that match `patterns`. `owner`: 'lora sketch'."""

    owner: str = field(compare=False)
    source: str
    revision: str
    patterns: tuple[str, ...]


class Absent(BaseException):
    """These files are not at hand, and may not be waited for here.

    Not an Exception, so that nobody on its way takes it for a model that is broken.
    """

    def __init__(self, files: Files) -> None:
        super().__init__(f"{files.owner}: {files.source} has not been downloaded yet")
        self.files = files


# Snapshots that were seen to hold all files of these patterns since the process began: by itself
# a folder of the cache does not say what it lacks.
_complete: Final[set[tuple[Path, tuple[str, ...]]]] = set()


def find(files: Files) -> Path:
    """Their folder in the cache, without asking the hub. Raises Absent."""
    try:
        folder = _snapshot(files, is_online=False)
    except (OSError, ValueError) as error:
        raise Absent(files) from error
    if (folder, files.patterns) not in _complete:
        raise Absent(files)
    return folder


def download(files: Files) -> None:
    """Bring what is missing of them into the cache.

    Raises ModelUnavailable, and ModelNotLoadable if the repository has no such file.
    """
    try:
        folder = _snapshot(files, is_online=True)
    except Exception as error:  # the hub's client raises errors of many libraries
        raise ModelUnavailable(
            f"{files.owner}: {files.source} could not be had from the Hugging Face hub"
            f" ({type(error).__name__}). Set HF_ENDPOINT to a mirror you can reach, or put the"
            " model's local folder as `source` in the catalogue"
        ) from error
    if not folder.is_dir():
        raise ModelNotLoadable(
            f"{files.owner}: {files.source} has no {', '.join(files.patterns)} on the hub"
        )
    _complete.add((folder, files.patterns))


class Downloads:
    """Brings what work lacks, on threads of their own; may be used from any thread.

    Files are downloaded once, however many wait for them, and on if none does any more.
    """

    def __init__(self) -> None:
        self._under_way: dict[Files, Future[None]] = {}
        self._lock = Lock()

    def supply(
        self, work: Callable[[], Result], check: Callable[[], None] = lambda: None
    ) -> Result:
        """`work()`, begun again whenever files were absent, once they are here.

        `check` is called meanwhile, at least each `_LOOK_EVERY_S`, and raises what ends the
        waiting. Raises ModelUnavailable and ModelNotLoadable for what cannot be had.
        """
        had: set[Files] = set()
        while True:
            try:
                return work()
            except Absent as absent:
                files = absent.files
            if files in had:
                raise ModelUnavailable(f"{files.owner}: what was downloaded is gone again")
            had.add(files)
            _wait_for(self._begun(files), check)

    def _begun(self, files: Files) -> "Future[None]":
        with self._lock:
            if files not in self._under_way:
                self._under_way[files] = future = Future[None]()
                # A daemon: a worker that leaves waits for no download.
                Thread(target=self._run, args=(files, future), name="download", daemon=True).start()
            return self._under_way[files]

    def _run(self, files: Files, future: "Future[None]") -> None:
        error = _try(files)
        with self._lock:
            del self._under_way[files]
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)


def _try(files: Files) -> StageError | None:
    """Why they could not be downloaded, if so; the log has it too."""
    start = time.monotonic()
    try:
        download(files)
    except StageError as error:
        _log.warning("not_downloaded", source=files.source, error=error.message)
        return error
    seconds = round(time.monotonic() - start, 1)
    _log.info("downloaded", source=files.source, seconds=seconds)
    return None


def _wait_for(future: "Future[None]", check: Callable[[], None]) -> None:
    while not future.done():
        check()
        wait([future], timeout=_LOOK_EVERY_S)
    future.result()


def _snapshot(files: Files, *, is_online: bool) -> Path:
    folder: str = snapshot_download(
        files.source,
        revision=files.revision,
        allow_patterns=list(files.patterns),
        ignore_patterns=_NEVER,
        local_files_only=not is_online,
    )
    return Path(folder)
