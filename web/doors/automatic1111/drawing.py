"""Routes that draw: `txt2img` and `img2img`."""

from typing import Any

from flask import Response, jsonify, request
from pydantic import ValidationError

from myriad.job import JobState
from web.auth import current_caller
from web.doors.automatic1111.answer import answer
from web.doors.automatic1111.blueprint import WrongTypes, automatic1111
from web.doors.automatic1111.checkpoint import model_for
from web.doors.automatic1111.request_model import Img2Img, Txt2Img
from web.doors.automatic1111.translate import translate
from web.doors.waiting import draw, pictures_of
from web.farm import current_farm
from web.request import takes_base64

DOOR = "automatic1111"


@automatic1111.post("/v1/txt2img")
@takes_base64
def txt2img() -> Response:
    """Draw from words. Clients send all their fields, pictures for scripts among them."""
    return jsonify(_drawn(Txt2Img))


@automatic1111.post("/v1/img2img")
@takes_base64
def img2img() -> Response:
    """Draw from a picture, or within its mask."""
    return jsonify(_drawn(Img2Img))


def _read(kind: type[Txt2Img]) -> Txt2Img:
    try:
        return kind.model_validate(request.get_json())
    except ValidationError as error:
        raise WrongTypes(error) from None


def _drawn(kind: type[Txt2Img]) -> dict[str, Any]:
    """Holds the answer until the job is final. One that was interrupted has no pictures."""
    caller, farm, asked = current_caller(), current_farm(), _read(kind)
    model = model_for(asked.override_settings, caller)
    order = translate(asked, model, farm.catalog, farm.settings.max_input_pixels)
    asked = asked.without_pictures()
    record = draw(order.asked, caller, order.parts, door=DOOR)
    is_interrupted = record.state is JobState.CANCELED
    pictures = [] if is_interrupted else pictures_of(record)
    return answer(asked, record, pictures if asked.send_images else [], order.reports)
