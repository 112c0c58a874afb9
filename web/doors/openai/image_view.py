"""Finished pictures as OpenAI's clients read them."""

import base64
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from myriad.record import JobRecord
from web.doors.openai.image_request import ImageRequest
from web.doors.waiting import failure_of, pictures_of
from web.links import own_image_url

_QUALITIES = ("low", "medium", "high", "xhigh", "max", "auto")


def images_view(record: JobRecord, asked: ImageRequest) -> dict[str, Any]:
    """The body of an answer. Raises whatever the job failed of.

    Clients disagree on what they read when they have not said: they get both the
    picture and its address.
    """
    if failure := failure_of(record):
        raise failure
    entries: list[dict[str, Any]] = [{} for _ in record.images]
    if asked.response_format != "url":
        for entry, data in zip(entries, pictures_of(record), strict=True):
            entry["b64_json"] = encoded(data)
    if asked.response_format != "b64_json":
        for entry, image in zip(entries, record.images, strict=True):
            entry["url"] = own_image_url(image)
    view = {"created": _seconds(record.completed_at or record.created_at), "data": entries}
    return {**view, **_facts(record, asked)}


def partial_event(
    name: str, index: int, jpeg: bytes, record: JobRecord, asked: ImageRequest
) -> dict[str, Any]:
    """A preview on its way; it is a JPEG, whatever the picture will be."""
    return {
        **_event(f"{name}.partial_image", jpeg, record, asked),
        "output_format": "jpeg",
        "partial_image_index": index,
    }


def completed_events(name: str, record: JobRecord, asked: ImageRequest) -> Iterator[dict[str, Any]]:
    """One for each picture. Raises whatever the job failed of."""
    for data in pictures_of(record):
        yield {**_event(f"{name}.completed", data, record, asked), "usage": _usage()}


def encoded(data: bytes) -> str:
    """Base64 without a prefix."""
    return base64.b64encode(data).decode()


def _event(kind: str, data: bytes, record: JobRecord, asked: ImageRequest) -> dict[str, Any]:
    return {
        "type": kind,
        "b64_json": encoded(data),
        "created_at": _seconds(record.completed_at or record.created_at),
        "quality": "auto",
        **_facts(record, asked),
    }


def _facts(record: JobRecord, asked: ImageRequest) -> dict[str, Any]:
    """What was really drawn."""
    params = record.params
    facts = {
        "background": "opaque",
        "output_format": params["output_format"],
        "size": f"{params['width']}x{params['height']}",
    }
    return facts | ({"quality": asked.quality} if asked.quality in _QUALITIES else {})


def _usage() -> dict[str, Any]:
    """Their event must have one, and this farm counts no tokens."""
    details = {"image_tokens": 0, "text_tokens": 0}
    return {
        "input_tokens": 0,
        "input_tokens_details": details,
        "output_tokens": 0,
        "total_tokens": 0,
    }


def _seconds(at: datetime) -> int:
    return int(at.timestamp())
