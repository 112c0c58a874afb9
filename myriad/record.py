"""A job as read back from SQL: all that a door needs to answer with."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from myriad.job import CacheOutcome, JobState, Stage


@dataclass(frozen=True)
class ImageRecord:
    """One finished picture or video; `storage_key` never leaves the server."""

    index: int
    storage_key: str
    thumbnail_key: str | None
    sha256: str
    size_bytes: int
    content_type: str
    seed: int
    width: int
    height: int
    num_frames: int
    fps: int | None
    flagged: bool


@dataclass(frozen=True)
class InputRecord:
    """A picture that was handed in: `digest` is the SHA-256 of its stored PNG. Sizes in pixels."""

    digest: str
    width: int
    height: int
    size_bytes: int
    created_at: datetime


@dataclass(frozen=True)
class JobRecord:
    """One job with its pictures and measured stage times (seconds).

    `queue_position` counts the jobs that go first (0: next), None unless
    it is queued and was asked for by its id.
    `work_id` is the job whose run answers this one: itself, or the one it joined.
    `notes` say what was done to make it run, as after too little memory.
    """

    id: str
    api_key_id: str | None
    state: JobState
    stage: Stage
    model: str
    params: dict[str, Any]
    priority: int
    door: str
    batch_id: str | None
    metadata: dict[str, str]
    cache: CacheOutcome
    work_id: str
    attempt: int
    images: tuple[ImageRecord, ...]
    stage_seconds: dict[Stage, float]
    queue_position: int | None
    deadline_at: datetime | None
    notes: tuple[str, ...]
    error_code: str | None
    error_message: str | None
    error_field: str | None
    webhook: str | None
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None


@dataclass(frozen=True)
class JobPage:
    """Newest first; `cursor` continues the list, None at its end."""

    jobs: tuple[JobRecord, ...]
    cursor: str | None
