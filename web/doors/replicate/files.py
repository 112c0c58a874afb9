"""Files: pictures handed in before a prediction names them."""

import re
from typing import Any

from flask import Response, jsonify, request

from myriad.errors import InvalidRequest, NotFound
from myriad.inputs import INPUT_TYPE
from myriad.prediction import file_url
from myriad.record import InputRecord
from myriad.status import moment
from web.auth import current_caller
from web.doors.replicate.door import replicate
from web.inputs import Inputs
from web.links import base_url
from web.request import StrictRequest, takes_uploads

_ID = re.compile("[0-9a-f]{64}")


@replicate.post("/v1/files")
@takes_uploads
def create_file() -> Any:
    """Hand in a picture as part `content`."""
    assert isinstance(request, StrictRequest)
    request.check_boundary()
    files = request.files.getlist("content")
    if len(files) != 1:
        raise InvalidRequest("must be one file", field="content")
    inputs = Inputs(current_caller())
    digest = inputs.take(files[0].read(), "content")
    return jsonify(_view(inputs.keep()[digest])), 201


@replicate.get("/v1/files/<file_id>")
def get_file(file_id: str) -> Response:
    """Look at a picture that was handed in."""
    found = Inputs(current_caller()).find([file_id]) if _ID.fullmatch(file_id) else {}
    if not found:
        raise NotFound("no such file")
    return jsonify(_view(found[file_id]))


def _view(record: InputRecord) -> dict[str, Any]:
    return {
        "id": record.digest,
        "name": f"{record.digest[:12]}.png",
        "content_type": INPUT_TYPE,
        "size": record.size_bytes,
        "etag": record.digest,
        "checksums": {"sha256": record.digest},
        "metadata": {},
        "created_at": moment(record.created_at),
        "expires_at": None,
        "urls": {"get": file_url(record.digest, base_url())},
    }
