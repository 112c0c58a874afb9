"""`/hf/models/NAME`: a prompt in, the picture's bytes out."""

from flask import Response, jsonify, request

from myriad.errors import MyriadError, NotFound, Unauthorized
from myriad.model import Model
from web.auth import current_caller
from web.doors.door import Door
from web.doors.huggingface.request import read_task
from web.doors.waiting import draw, pictures_of
from web.errors import RETRY_AFTER_S
from web.farm import current_farm
from web.request import StrictRequest, takes_base64

_FORMATS = {"image/png": "png", "image/jpeg": "jpeg", "image/webp": "webp"}


def say(error: MyriadError) -> Response:
    """An error as their clients read it; 503 is what they take for a time-out."""
    message = f"{error.field}: {error.message}" if error.field else error.message
    body: dict[str, object] = {"error": message, "error_type": error.code}
    if error.is_retryable:
        body["estimated_time"] = error.retry_after_s or RETRY_AFTER_S
    response = jsonify(body)
    response.status_code = error.status
    if error.is_retryable:
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    if isinstance(error, Unauthorized):
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


huggingface = Door("huggingface", __name__, say=say, url_prefix="/hf/models")


@huggingface.post("/<path:name>")
@takes_base64
def run(name: str) -> Response:
    """Draw one picture: from text, or from a picture if the parameters have a `prompt`."""
    assert isinstance(request, StrictRequest)
    mimetype = request.accept_mimetypes.best_match(list(_FORMATS), default="image/png")
    task, parts = read_task(request.untyped_json.value, _find(name), _FORMATS[mimetype])
    record = draw(task, current_caller(), parts, door="huggingface")
    [picture] = pictures_of(record)
    response = Response(picture, mimetype=mimetype)
    response.headers["X-Job-Id"] = record.id
    return response


def _find(name: str) -> Model:
    """By our name, with or without an organisation before it. Raises NotFound."""
    catalog = current_farm().catalog
    model = catalog.get(name) or catalog.get(name.rpartition("/")[2])
    if model is None:
        raise NotFound(f"no model {name[:100]!r}; there are {', '.join(catalog)}")
    return model
