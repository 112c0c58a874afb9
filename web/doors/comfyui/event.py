"""What a socket hears of a job, in ComfyUI's words."""

import struct
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from myriad.job import JobState, Stage
from myriad.record import JobRecord
from web.doors.comfyui.file_name import output_names
from web.doors.comfyui.ticket import images_of, prompt_id_of, ticket_of

Event = tuple[str, dict[str, Any]]

_PREVIEW_IMAGE = 1
_JPEG = 1


class Feed:
    """The events of one job, each told once however often it is looked at."""

    def __init__(self) -> None:
        self.is_over = False
        self._has_started = False
        self._node: str | None = None
        self._step = 0
        self._preview: bytes | None = None

    def events(self, job: JobRecord, fraction: float) -> Iterator[Event]:
        """What is new since the last look. `fraction` 0..1 is of the job's current stage."""
        if self.is_over or job.state is JobState.QUEUED:
            return
        if not self._has_started:
            self._has_started = True
            yield from beginning_of(job)
        if job.state is JobState.RUNNING:
            yield from self._progress(job, fraction)
            return
        self.is_over, self._preview = True, None
        if job.state is JobState.SUCCEEDED:
            yield from self._steps(job, _steps(job))
            for node, output in images_of(job, output_names(job)).items():
                yield "executed", {**_at(job, node), "output": output}
        yield from ending_of(job)
        yield "executing", {"node": None, "prompt_id": prompt_id_of(job)}

    def preview(self, jpeg: bytes | None) -> bytes | None:
        """The binary message for a preview that has not been sent yet."""
        if jpeg is None or jpeg == self._preview:
            return None
        self._preview = jpeg
        return struct.pack(">II", _PREVIEW_IMAGE, _JPEG) + jpeg

    def _progress(self, job: JobRecord, fraction: float) -> Iterator[Event]:
        ticket = ticket_of(job)
        node = ticket.decoder if job.stage is Stage.DECODE else ticket.sampler
        if node != self._node:
            self._node = node
            yield "executing", _at(job, node)
        if job.stage is Stage.DENOISE:
            yield from self._steps(job, round(fraction * _steps(job)))

    def _steps(self, job: JobRecord, step: int) -> Iterator[Event]:
        if step > self._step:
            self._step = step
            node = ticket_of(job).sampler
            yield (
                "progress",
                {
                    "value": step,
                    "max": _steps(job),
                    "prompt_id": prompt_id_of(job),
                    "node": node,
                },
            )


def beginning_of(job: JobRecord) -> Iterator[Event]:
    """That it is being drawn."""
    where = {"prompt_id": prompt_id_of(job), "timestamp": _ms(job.started_at)}
    yield "execution_start", where
    yield "execution_cached", {"nodes": [], **where}


def ending_of(job: JobRecord) -> Iterator[Event]:
    """How it ended."""
    where = {"prompt_id": prompt_id_of(job), "timestamp": _ms(job.completed_at)}
    node = {"node_id": ticket_of(job).sampler, "node_type": "KSampler", "executed": []}
    if job.state is JobState.SUCCEEDED:
        yield "execution_success", where
    elif job.state is JobState.CANCELED:
        yield "execution_interrupted", {**where, **node}
    else:
        yield (
            "execution_error",
            {
                **where,
                **node,
                "exception_type": job.error_code,
                "exception_message": job.error_message or "",
                "traceback": [],
                "current_inputs": {},
                "current_outputs": [],
            },
        )


def _at(job: JobRecord, node: str) -> dict[str, Any]:
    return {"node": node, "display_node": node, "prompt_id": prompt_id_of(job)}


def _steps(job: JobRecord) -> int:
    return int(job.params.get("num_inference_steps", 0))


def _ms(at: datetime | None) -> int:
    return 0 if at is None else int(at.timestamp() * 1000)
