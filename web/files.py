"""Serves stored files to whoever holds a signed link, so that they can do no harm."""

from hashlib import sha256
from io import BytesIO
from pathlib import PurePosixPath

from apiflask import APIBlueprint
from flask import Response, send_file

from myriad.link import check_link
from web.farm import current_farm

files = APIBlueprint("files", __name__, enable_openapi=False)

_SHOWN = {
    ".png": "image/png",
    ".webp": "image/webp",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".mp4": "video/mp4",
}


@files.get("/files/<token>")
def serve(token: str) -> Response:
    """The file a link stands for, or the range asked for."""
    return send_stored(check_link(current_farm().secret, token))


def send_stored(key: str) -> Response:
    """Pictures and videos are shown; anything else is only ever saved. Raises NotFound."""
    farm = current_farm()
    data = farm.storage.get(key)
    name = PurePosixPath(key)
    content_type = _SHOWN.get(name.suffix)
    response = send_file(
        BytesIO(data),
        mimetype=content_type or "application/octet-stream",
        as_attachment=content_type is None,
        download_name=name.name,
        etag=sha256(data).hexdigest(),
        max_age=int(farm.settings.link_ttl_s),
    )
    response.cache_control.private = True
    response.cache_control.immutable = True
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response.headers["Cross-Origin-Resource-Policy"] = "same-site"
    return response
