"""What a batch remembers beside its pictures, so that it can go on after anything."""

import fcntl
import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from myriad.cli.batch_file import Line
from myriad.cli.picture_file import write_whole
from myriad.errors import Conflict

MANIFEST = "manifest.jsonl"
STATE = ".state.jsonl"

_JOB = frozenset({"key", "job"})
_RECORD = _JOB | {"line", "status", "seed", "file", "sha256", "picture", "pictures", "error"}

Record = dict[str, Any]
"""A line of the manifest: a picture, or why there is none.

`line`, `key`, `job`, `status`, `seed`, `file`, `sha256`, `picture` of `pictures`, `error`.
"""


class BatchLog:
    """The folder of a batch: which job each line became, and what came of it.

    Both files grow by whole lines, each written as soon as it is true: after a crash
    the last may be torn, and is not counted. At the end the manifest is put in order.
    """

    def __init__(self, folder: Path, state: IO[str], manifest: IO[str]) -> None:
        self._folder = folder
        self._state, self._manifest = state, manifest
        self._jobs = {entry["key"]: entry["job"] for entry in _entries(folder / STATE, _JOB)}
        self._records: dict[str, list[Record]] = {}
        for record in _entries(folder / MANIFEST, _RECORD):
            self._put(record)

    def job_of(self, key: str) -> str | None:
        """The job that the line last became."""
        return self._jobs.get(key)

    def note_job(self, key: str, job_id: str) -> None:
        """The line has become this job."""
        self._jobs[key] = job_id
        _append(self._state, {"key": key, "job": job_id})

    def result_of(self, line: Line) -> list[Record]:
        """What came of the line: a record a picture, or one that tells why there is none.

        Empty if nothing yet, if it is another job's, or if a picture is gone or altered.
        """
        records = self._of(line)
        is_last = all(record["job"] == self.job_of(line.key) for record in records)
        is_whole = all(
            len(records) == record["pictures"] and self._is_there(record) for record in records
        )
        return records if is_last and is_whole else []

    def note_result(self, key: str, records: list[Record]) -> None:
        """This came of the line."""
        self._records.pop(key, None)
        for record in records:
            self._put(record)
            _append(self._manifest, record)

    def free_name(self, name: str, key: str, sha256: str) -> str:
        """The name for a line's picture; with its key in it if another picture is called so."""
        stem, dot, ending = name.rpartition(".")
        is_taken = _digest(self._folder / name) not in (None, sha256)
        return f"{stem}-{key[:8]}{dot}{ending}" if is_taken else name

    def put_in_order(self, lines: Iterable[Line]) -> None:
        """Leave in the manifest what is of these lines, in their order."""
        records = [record for line in lines for record in self._of(line)]
        text = "".join(f"{_json(record)}\n" for record in records)
        write_whole(self._folder / MANIFEST, text.encode())

    def _put(self, record: Record) -> None:
        """Add a picture's record; it replaces its older self, and all of earlier jobs."""
        place = record["job"], record["picture"]
        kept = [
            each
            for each in self._records.get(record["key"], [])
            if each["job"] == place[0] and each["picture"] != place[1]
        ]
        self._records[record["key"]] = [*kept, record]

    def _of(self, line: Line) -> list[Record]:
        """Its records; the line may have moved since."""
        return [{**record, "line": line.number} for record in self._records.get(line.key, [])]

    def _is_there(self, record: Record) -> bool:
        file = record["file"]
        return file is None or _digest(self._folder / file) == record["sha256"]


@contextmanager
def open_log(folder: Path) -> Iterator[BatchLog]:
    """The log of that folder. Raises Conflict while another process has it open."""
    folder.mkdir(parents=True, exist_ok=True)
    with _opened(folder / STATE) as state, _opened(folder / MANIFEST) as manifest:
        try:
            fcntl.flock(state, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Conflict(f"another batch is at work in {folder}") from error
        yield BatchLog(folder, state, manifest)


def _entries(file: Path, names: frozenset[str]) -> Iterator[dict[str, Any]]:
    """Every entry of a log but what a crash has torn."""
    for line in file.read_text("utf-8", "replace").split("\n"):
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and names <= entry.keys():
            yield entry


def _digest(file: Path) -> str | None:
    """SHA-256 of what is in it; None if there is no such file."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except FileNotFoundError:
        return None


def _opened(file: Path) -> IO[str]:
    """The log, to be added to; what comes is kept apart from a last line that a crash has torn."""
    log = file.open("a", encoding="utf-8")
    if (data := file.read_bytes()) and not data.endswith(b"\n"):
        log.write("\n")
        log.flush()
    return log


def _append(log: IO[str], entry: dict[str, Any]) -> None:
    log.write(f"{_json(entry)}\n")
    log.flush()


def _json(entry: dict[str, Any]) -> str:
    return json.dumps(entry, ensure_ascii=False)
