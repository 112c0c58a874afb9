"""A job as the native API and the webhooks show it."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from myriad.job import Stage, overall_progress
from myriad.record import ImageRecord, JobRecord


def job_view(
    record: JobRecord,
    *,
    fraction: float,
    link: Callable[[ImageRecord], str],
    base_url: str,
) -> dict[str, Any]:
    """The JSON body of a job. `fraction` is of its current stage; `link` addresses a picture."""
    path = f"{base_url.rstrip('/')}/api/v1/jobs/{record.id}"
    return {
        "id": record.id,
        "status": record.state.value,
        "stage": record.stage.value,
        "progress": overall_progress(record.state, record.stage, fraction),
        "model": record.model,
        "input": record.params,
        "output": [_image_view(image, link) for image in record.images] or None,
        "error": _error_view(record),
        "notes": list(record.notes),
        "cache": record.cache.value,
        "queue_position": record.queue_position,
        "priority": record.priority,
        "batch": record.batch_id,
        "metadata": record.metadata,
        "metrics": _metrics(record),
        "created_at": moment(record.created_at),
        "started_at": moment(record.started_at),
        "completed_at": moment(record.completed_at),
        "deadline_at": moment(record.deadline_at),
        "urls": {
            "get": path,
            "cancel": f"{path}/cancel",
            "preview": f"{path}/preview",
            "web": f"{base_url.rstrip('/')}/jobs/{record.id}",
        },
    }


def _image_view(image: ImageRecord, link: Callable[[ImageRecord], str]) -> dict[str, Any]:
    return {
        "url": link(image),
        "seed": image.seed,
        "width": image.width,
        "height": image.height,
        "num_frames": image.num_frames,
        "fps": image.fps,
        "content_type": image.content_type,
        "sha256": image.sha256,
        "flagged": image.flagged,
    }


def _error_view(record: JobRecord) -> dict[str, str] | None:
    if not record.state.is_final or record.error_code is None or record.images:
        return None
    error = {"code": record.error_code, "message": record.error_message or ""}
    return error | {"field": record.error_field} if record.error_field else error


def _metrics(record: JobRecord) -> dict[str, float | None]:
    total = _seconds(record.created_at, record.completed_at)
    stages = {f"{stage.value}_s": record.stage_seconds.get(stage) for stage in Stage}
    return {
        "queue_s": _seconds(record.created_at, record.started_at),
        **{name: None if value is None else round(value, 4) for name, value in stages.items()},
        "total_s": total,
    }


def _seconds(start: datetime, end: datetime | None) -> float | None:
    return round((end - start).total_seconds(), 4) if end else None


def moment(at: datetime | None) -> str | None:
    """ISO 8601 in UTC, as JSON bodies carry it."""
    return at.isoformat().replace("+00:00", "Z") if at else None
