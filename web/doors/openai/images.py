"""`/v1/images`: pictures from a prompt, and pictures changed."""

from typing import Any

from flask import Response, jsonify, request

from myriad.errors import InvalidRequest
from myriad.mode import Mode
from web.auth import current_caller
from web.doors.openai.door import openai
from web.doors.openai.image_request import (
    ImageRequest,
    job_request,
    read_image_request,
)
from web.doors.openai.image_stream import stream
from web.doors.openai.image_view import images_view
from web.doors.openai.mask import white_where_transparent
from web.doors.openai.model_name import find_model
from web.doors.openai.once import once
from web.doors.waiting import sit_out
from web.farm import waiting_room
from web.intake import accept
from web.picture_fields import Parts
from web.request import StrictRequest, takes_uploads
from web.wait import Seat

_MOST_IMAGES = 16


@openai.post("/images/generations")
def generate() -> Any:
    """Draw pictures."""
    assert isinstance(request, StrictRequest)
    asked = read_image_request(request.json_body.value)
    return _answer("image_generation", asked, *_begin(asked, {}))


@openai.post("/images/edits")
@takes_uploads
def edit() -> Any:
    """Change the first of the pictures: all of it, or what the mask leaves open."""
    assert isinstance(request, StrictRequest)
    request.check_boundary()
    asked = read_image_request(request.form.to_dict())
    # Handed over at once: nobody is to hold the uploads while the answer waits.
    return _answer("image_edit", asked, *_begin(asked, _pictures(request)))


def _pictures(form: StrictRequest) -> Parts:
    """Clients call one picture `image` and several `image[]`; a mask is for the first."""
    images = [*form.files.getlist("image"), *form.files.getlist("image[]")]
    if not 1 <= len(images) <= _MOST_IMAGES:
        raise InvalidRequest(f"must be 1 to {_MOST_IMAGES} files", field="image")
    parts = {"image": (images[0].read(),)}
    if mask := form.files.get("mask"):
        parts["mask"] = (white_where_transparent(mask.read()),)
    return parts


def _begin(asked: ImageRequest, parts: Parts) -> tuple[Seat, str]:
    """A seat to wait at, then a job. Raises Busy, and whatever `accept` does."""
    caller = current_caller()
    wanted = job_request(asked, find_model(asked.model, _mode(parts)))
    with once(caller) as how:
        seat = waiting_room().take_seat(caller.scope)
        try:
            return seat, accept(wanted, caller, parts=parts, door="openai", **how).job_id
        except BaseException:
            seat.leave()
            raise


def _mode(parts: Parts) -> Mode:
    if "mask" in parts:
        return Mode.INPAINTING
    return Mode.IMAGE_TO_IMAGE if "image" in parts else Mode.TEXT_TO_IMAGE


def _answer(name: str, asked: ImageRequest, seat: Seat, job_id: str) -> Response:
    """The pictures, or the stream of their making."""
    caller = current_caller()
    if asked.stream:
        return stream(name, seat, job_id, caller, asked)
    with seat:
        return jsonify(images_view(sit_out(seat, job_id, caller), asked))
