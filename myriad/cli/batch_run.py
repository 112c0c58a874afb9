"""Drawing a batch: as many lines under way as the farm takes, their pictures saved in order."""

import hashlib
import math
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from myriad.cli.batch_file import Line, with_pictures
from myriad.cli.batch_log import BatchLog, Record
from myriad.cli.group import system_words
from myriad.cli.picture_file import ending_of, write_whole
from myriad.client import Client, Job
from myriad.errors import (
    Forbidden,
    MyriadError,
    NotFound,
    Overloaded,
    QuotaExceeded,
    RateLimited,
    RequestError,
    Unauthorized,
    Unavailable,
)
from myriad.job import JobState

MOST_UNDER_WAY = 64
REFUSED = "refused"
_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 30.0
_OUTAGE_S = 60.0
"""How long a farm that has answered may be away."""

_FOR_ALL = (Unauthorized, Forbidden, QuotaExceeded)
"""What would be said of every other line, too, for a day or more."""

Answer = TypeVar("Answer")
Tell = Callable[[list[Record]], None]


class BatchRun:
    """One go at a batch, pictures in `out`. What it gets done is in the log, whatever ends it.

    `folder` is where lines mean the files they name; `tell` hears the records of every line
    once, known ones included. With `again` lines whose job has failed get another.
    """

    def __init__(
        self, client: Client, log: BatchLog, folder: Path, out: Path, tell: Tell, *, again: bool
    ) -> None:
        self._client, self._log = client, log
        self._folder, self._out = folder, out
        self._tell, self._again = tell, again
        self._under_way: deque[tuple[Line, str]] = deque()
        self._answered_at = -math.inf

    def run(self, lines: Iterable[Line]) -> None:
        """Bring every line to its end.

        Raises MyriadError if the farm stays away or no longer lets the caller in.
        """
        for line in lines:
            known = self._log.result_of(line)
            if known and not self._is_open(known):
                self._tell(known)
            else:
                self._begin(line, known)
        while self._under_way:
            self._finish_first()

    def _is_open(self, known: list[Record]) -> bool:
        """Whether there is still something to try: what was refused, or on demand what failed."""
        record = known[0]
        return record["job"] is None or (self._again and record["status"] != JobState.SUCCEEDED)

    def _begin(self, line: Line, known: list[Record]) -> None:
        """Have the line drawn, after others where the farm takes no more."""
        if len(self._under_way) >= MOST_UNDER_WAY:
            self._finish_first()
        failed = known[0]["job"] if known else None
        while (pause_s := self._try(line, failed)) is not None:
            if self._under_way:
                self._finish_first()
            else:
                time.sleep(pause_s)

    def _try(self, line: Line, failed: str | None) -> float | None:
        """Put the line under way, or note that it is refused; else how long to wait, seconds."""
        try:
            job_id = self._job_of_before(line, failed) or self._submit(line, failed)
        except (RequestError, Unavailable) as error:
            if isinstance(error, _FOR_ALL):
                raise
            if (pause_s := self._pause_s(error)) is not None:
                return pause_s
            if not isinstance(error, RequestError | Overloaded):
                raise  # the farm is away
            told = f"{error.field}: {error.message}" if error.field else error.message
            self._end(line, None, REFUSED, told)
        except OSError as error:
            self._end(line, None, REFUSED, system_words(error))
        else:
            self._answered_at = time.monotonic()
            self._under_way.append((line, job_id))
        return None

    def _job_of_before(self, line: Line, failed: str | None) -> str | None:
        """The job that an earlier go has made of the line, if it is there and worth waiting for."""
        job_id = self._log.job_of(line.key)
        if job_id is None or job_id == failed:
            return None
        try:
            self._client.get(job_id)
        except NotFound:
            return None
        return job_id

    def _submit(self, line: Line, failed: str | None) -> str:
        """The new job of the line. Sent again after a lost answer, it is the same one."""
        if line.problem:
            raise RequestError(line.problem)
        asked = with_pictures(line.asked, self._folder, lambda path: path)
        prompt = asked.pop("prompt")
        key = f"batch-{line.key}" + (f"-after-{failed}" if failed else "")
        job = self._client.submit(prompt, idempotency_key=key, **asked)
        job_id: str = job["id"]
        self._log.note_job(line.key, job_id)
        return job_id

    def _finish_first(self) -> None:
        """Wait for the line that has been under way longest, and save what came of it."""
        line, job_id = self._under_way.popleft()
        try:
            job = self._patiently(lambda: self._client.wait(job_id))
        except NotFound as error:
            self._end(line, job_id, JobState.CANCELED, error.message)
        else:
            self._save(line, job)

    def _save(self, line: Line, job: Job) -> None:
        if job["status"] != JobState.SUCCEEDED:
            error = job["error"]
            self._end(line, job["id"], job["status"], error["message"] if error else None)
            return
        count = len(job["output"])
        records = []
        for number, image in enumerate(job["output"], 1):
            place = {"picture": number, "pictures": count}
            ending = ending_of(image["content_type"])
            name = f"{line.number:04}{f'-{number}' if count > 1 else ''}{ending}"
            file = self._log.free_name(name, line.key, image["sha256"])
            write_whole(self._out / file, self._download(image))
            found = {"seed": image["seed"], "file": file, "sha256": image["sha256"]}
            records.append(_record(line, job["id"], job["status"], **found, **place))
        self._note(line, records)

    def _download(self, image: dict[str, Any]) -> bytes:
        """The picture. Raises MyriadError if other bytes came than the farm has."""
        data = self._patiently(lambda: self._client.download(image["url"]))
        if hashlib.sha256(data).hexdigest() != image["sha256"]:
            raise MyriadError(f"{image['url']} has not arrived whole")
        return data

    def _end(self, line: Line, job_id: str | None, status: str, error: str | None) -> None:
        """The line has come to nothing."""
        self._note(line, [_record(line, job_id, status, error=error or f"the job {status}")])

    def _note(self, line: Line, records: list[Record]) -> None:
        self._log.note_result(line.key, records)
        self._tell(records)

    def _patiently(self, ask: Callable[[], Answer]) -> Answer:
        """What the farm answers once it takes questions again."""
        while True:
            try:
                answer = ask()
            except (RateLimited, Unavailable) as error:
                if (pause_s := self._pause_s(error)) is None:
                    raise
            else:
                self._answered_at = time.monotonic()
                return answer
            time.sleep(pause_s)

    def _pause_s(self, error: MyriadError) -> float | None:
        """When the farm may take what it would not, seconds; None where no time will mend it."""
        if isinstance(error, RateLimited | Overloaded):
            is_passing = not error.field
        else:
            is_away = isinstance(error, Unavailable)
            is_passing = is_away and time.monotonic() < self._answered_at + _OUTAGE_S
        return min(error.retry_after_s or _PAUSE_S, _LONGEST_PAUSE_S) if is_passing else None


def _record(line: Line, job_id: str | None, status: str, **found: Any) -> Record:
    nothing = {"seed": None, "file": None, "sha256": None, "picture": 1, "pictures": 1}
    base = {"line": line.number, "key": line.key, "job": job_id, "status": str(status)}
    return base | nothing | {"error": None} | found
