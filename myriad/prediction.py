"""A job as Replicate's clients and their webhooks know it: a prediction."""

import hashlib
from collections.abc import Callable
from typing import Any

from myriad.catalog import Catalog
from myriad.errors import DeadlineExceeded
from myriad.job import JobState, Stage
from myriad.model import Model
from myriad.record import ImageRecord, JobRecord
from myriad.state_words import STATE_WORDS
from myriad.status import moment

OWNER = "myriad"
"""Whose the models are, in names of the form `owner/name`."""

DOOR = "replicate"
"""The door through which predictions are asked for."""

NAME_LABEL = "prediction_id"
"""The label that holds the name a client gave its prediction."""

_OURS_TO_THEIRS = {"num_images": "num_outputs", "strength": "prompt_strength"}
_PICTURES = ("image", "mask")


def version_of(model: Model) -> str:
    """64 hex digits that change with the model's weights."""
    return hashlib.sha256(f"{model.name} {model.fingerprint}".encode()).hexdigest()


def version_named(catalog: Catalog, name: str) -> str:
    """The version of the model of that name, "" if the farm no longer has it."""
    model = catalog.get(name)
    return version_of(model) if model else ""


def name_of(record: JobRecord) -> str | None:
    """What its client called it; a job of another door may bear the label for its own reasons."""
    return record.metadata.get(NAME_LABEL) if record.door == DOOR else None


def prediction_view(
    record: JobRecord,
    *,
    fraction: float,
    link: Callable[[ImageRecord], str],
    base_url: str,
    version: str,
    is_waiting: bool = False,
    has_name: bool = True,
) -> dict[str, Any]:
    """The JSON body of a prediction; `fraction` is of the job's current stage.

    Without `has_name` its client's name leads to it no more, and its id is shown instead.

    To a client that asked to wait and whose time is up, `is_waiting`, a running one must
    still be `starting`: whatever else it reads it takes for the end.
    """
    shown_id = (has_name and name_of(record)) or record.id
    path = f"{base_url.rstrip('/')}/v1/predictions/{shown_id}"
    return {
        "id": shown_id,
        "model": f"{OWNER}/{record.model}",
        "version": version,
        "status": _status(record, is_waiting),
        "input": _input_view(record, base_url),
        "output": [link(image) for image in record.images] or None,
        "error": record.error_message if _has_failed(record) else None,
        "logs": progress_line(record, fraction),
        "metrics": _metrics(record),
        "created_at": moment(record.created_at),
        "started_at": moment(record.started_at),
        "completed_at": moment(record.completed_at),
        "data_removed": False,
        "urls": {"get": path, "cancel": f"{path}/cancel"},
    }


def progress_line(record: JobRecord, fraction: float) -> str:
    """How far it is in the words of tqdm, which their client reads progress from."""
    total = int(record.params["num_inference_steps"])
    done = {Stage.ENCODE: 0, Stage.DENOISE: round(total * fraction), Stage.DECODE: total}
    current = total if record.state is JobState.SUCCEEDED else done[record.stage]
    if not current and record.state is not JobState.RUNNING:
        return ""
    percent = 100 * current // total
    return f"{percent:3d}%|{'█' * (percent // 10):<10}| {current}/{total}\n"


def _status(record: JobRecord, is_waiting: bool) -> str:
    if is_waiting and not record.state.is_final:
        return STATE_WORDS[JobState.QUEUED].replicate
    if record.error_code == DeadlineExceeded.code:
        return STATE_WORDS[JobState.CANCELED].replicate
    return STATE_WORDS[record.state].replicate


def _has_failed(record: JobRecord) -> bool:
    return record.state is JobState.FAILED and record.error_code != DeadlineExceeded.code


def _input_view(record: JobRecord, base_url: str) -> dict[str, Any]:
    """What was asked, completed: theirs where they have a name for it."""
    shown = {name: value for name, value in record.params.items() if value not in (None, [], "")}
    for name in _PICTURES:
        if name in shown:
            shown[name] = file_url(shown[name], base_url)
    if "controlnets" in shown:
        shown["controlnets"] = [
            {**use, "image": file_url(use["image"], base_url)} for use in shown["controlnets"]
        ]
    return {_OURS_TO_THEIRS.get(name, name): value for name, value in shown.items()}


def file_url(digest: str, base_url: str) -> str:
    """Where a picture that was handed in is described; an input may name it so."""
    return f"{base_url.rstrip('/')}/v1/files/{digest}"


def _metrics(record: JobRecord) -> dict[str, float]:
    if record.completed_at is None or record.started_at is None:
        return {}
    took = (record.completed_at - record.started_at).total_seconds()
    return {"predict_time": round(took, 4)}
