"""How far the caller's jobs are, as one program with one user would say it."""

import base64
from datetime import datetime
from typing import Any

from myriad import clock
from myriad.job import JobState, Stage, overall_progress
from myriad.record import JobRecord
from web.farm import current_farm
from web.jobs import current_preview

_IDLE = {
    "skipped": False,
    "interrupted": False,
    "stopping_generation": False,
    "job": "",
    "job_count": 0,
    "job_timestamp": "0",
    "job_no": 0,
    "sampling_step": 0,
    "sampling_steps": 0,
}


def idle_view() -> dict[str, Any]:
    """The body of `progress` while there is nothing to do."""
    return _view(0.0, 0.0, _IDLE, None)


def progress_view(job: JobRecord, count: int, *, has_image: bool) -> dict[str, Any]:
    """The body of `progress`: of the current job, one of `count`."""
    fraction = _fraction(job)
    progress = overall_progress(job.state, job.stage, fraction)
    preview = current_preview(job) if has_image else None
    steps = int(job.params.get("num_inference_steps", 0))
    state = {
        **_IDLE,
        "job": job.id,
        "job_count": count,
        "job_timestamp": job.created_at.strftime("%Y%m%d%H%M%S"),
        "sampling_step": _step(job, fraction, steps),
        "sampling_steps": steps,
    }
    return _view(progress, _eta(job.started_at, progress), state, preview)


def _fraction(job: JobRecord) -> float:
    is_running = job.state is JobState.RUNNING
    return current_farm().signals.progress(job.work_id) if is_running else 0.0


def _step(job: JobRecord, fraction: float, steps: int) -> int:
    if job.stage is Stage.DENOISE:
        return round(fraction * steps)
    return steps if job.stage is Stage.DECODE else 0


def _eta(started_at: datetime | None, progress: float) -> float:
    """Seconds to go if it goes on as it went."""
    if started_at is None or not progress:
        return 0.0
    elapsed = max(0.0, (clock.now() - started_at).total_seconds())
    return round(elapsed / progress - elapsed, 3)


def _view(
    progress: float, eta_s: float, state: dict[str, Any], preview: bytes | None
) -> dict[str, Any]:
    return {
        "progress": progress,
        "eta_relative": eta_s,
        "state": state,
        "current_image": None if preview is None else base64.b64encode(preview).decode(),
        "textinfo": None,
    }
