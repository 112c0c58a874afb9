"""A job as OpenAI's clients see a video."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from myriad.errors import NotFound
from myriad.job import JobState, overall_progress
from myriad.record import JobRecord
from myriad.state_words import STATE_WORDS
from web.auth import Caller
from web.doors.openai.door import openai
from web.doors.openai.video_request import REMIX_OF
from web.doors.waiting import failure_of
from web.farm import current_farm
from web.jobs import read_job


def video_view(record: JobRecord) -> dict[str, Any]:
    """`size` and `seconds` are what is really made; `progress` is in percent."""
    params = record.params
    is_running = record.state is JobState.RUNNING
    fraction = current_farm().signals.progress(record.work_id) if is_running else 0.0
    return {
        "id": record.id,
        "object": "video",
        "model": record.model,
        "status": STATE_WORDS[record.state].openai_video,
        "progress": int(100 * overall_progress(record.state, record.stage, fraction)),
        "created_at": int(record.created_at.timestamp()),
        "completed_at": int(record.completed_at.timestamp()) if record.completed_at else None,
        "expires_at": None,
        "seconds": f"{params['num_frames'] / params['fps']:g}",
        "size": f"{params['width']}x{params['height']}",
        "prompt": params["prompt"],
        "remixed_from_video_id": _remixed_from(record),
        "error": _error(record),
    }


def _remixed_from(record: JobRecord) -> str | None:
    """A job of another door may bear the label for its own reasons."""
    return record.metadata.get(REMIX_OF) if record.door == openai.name else None


def video_views(job_ids: Iterable[str], caller: Caller) -> list[dict[str, Any]]:
    """Those of the videos that nobody has deleted in the meantime."""
    views = []
    for job_id in job_ids:
        with suppress(NotFound):
            views.append(video_view(read_job(job_id, caller)))
    return views


def _error(record: JobRecord) -> dict[str, str] | None:
    failure = failure_of(record) if record.state.is_final else None
    return {"code": failure.code, "message": failure.message} if failure else None
