"""`/upload/image` and `/view`: pictures in and out."""

from collections.abc import Callable
from dataclasses import dataclass

from flask import Response, jsonify, request
from PIL import ImageOps

from myriad.errors import InvalidRequest, NotFound
from myriad.inputs import INPUT_TYPE, input_key
from web.auth import Caller, current_caller
from web.doors.comfyui.blueprint import route
from web.doors.comfyui.file_name import input_name, output_name, read_input, read_output
from web.doors.transparency import PLAIN, as_png, opened
from web.farm import current_farm
from web.inputs import Inputs
from web.jobs import read_job
from web.request import StrictRequest, takes_uploads


@route("/upload/image", "POST")
@takes_uploads
def upload_image() -> Response:
    """Hand in a picture. The name in the answer is ours; a graph must use that one."""
    data, inputs = _file("image"), Inputs(current_caller())
    picture = inputs.take(data, "image")
    mask = _transparency(data, inputs)
    inputs.keep()
    return jsonify(name=input_name(picture, mask), subfolder="", type="input")


def _file(name: str) -> bytes:
    assert isinstance(request, StrictRequest)
    request.check_boundary()
    files = request.files.getlist(name)
    if len(files) != 1:
        raise InvalidRequest("must be one part of the body, and a file", field=name)
    data: bytes = files[0].read()
    return data


def _transparency(data: bytes, inputs: Inputs) -> str | None:
    """The digest of what is transparent in the picture, white; None if nothing is."""
    with opened(data, "image", current_farm().settings.max_input_pixels) as image:
        opacity = image.getchannel("A")
        if opacity.getextrema() == PLAIN:
            return None
        mask = as_png(ImageOps.invert(opacity))
    return inputs.take(mask, "image", is_mask=True)


@route("/view", "GET")
def view() -> Response:
    """A picture that the caller had drawn or handed in."""
    name = request.args.get("filename", "")
    find = _FINDERS.get(request.args.get("type", "output"))
    if find is None or request.args.get("subfolder"):
        raise NotFound("no such file")
    file = find(name, current_caller())
    response = Response(file.data, content_type=file.content_type)
    response.headers["Content-Disposition"] = f'filename="{file.name}"'
    response.headers["Cache-Control"] = "private, no-store"
    return response


@dataclass(frozen=True)
class _File:
    """What to answer with. `name` is ours, never the one that was asked for."""

    name: str
    data: bytes
    content_type: str


def _drawn(name: str, caller: Caller) -> _File:
    if found := read_output(name):
        record = read_job(found[0], caller)
        for image in record.images:
            if image.index == found[1]:
                data = current_farm().storage.get(image.storage_key)
                return _File(output_name(record, image), data, image.content_type)
    raise NotFound("no such file")


def _handed_in(name: str, caller: Caller) -> _File:
    digest = read_input(name)
    if digest is None or not Inputs(caller).find([digest]):
        raise NotFound("no such file")
    data = current_farm().storage.get(input_key(digest))
    return _File(input_name(digest, None), data, INPUT_TYPE)


_FINDERS: dict[str, Callable[[str, Caller], _File]] = {
    "output": _drawn,
    "temp": _drawn,
    "input": _handed_in,
}
