"""Pictures in AUTOMATIC1111's requests: bare base64, or a data URI; never an address."""

import re

from PIL import ImageOps

from myriad.errors import InvalidRequest
from web.base64_text import decoded
from web.doors.transparency import PLAIN, as_png, opened

_HEAD = re.compile(r"data:image/[\w.+-]{1,32};base64,")


def picture_bytes(value: object, field: str) -> bytes:
    """The file behind the text, not looked into. Raises InvalidRequest on `field`."""
    if not isinstance(value, str) or not value:
        raise InvalidRequest("must be a picture in base64", field=field)
    if value[:8].lower().startswith(("http://", "https:/")):
        raise InvalidRequest("addresses are not fetched; send the picture itself", field=field)
    head = _HEAD.match(value)
    return decoded(value[head.end() if head else 0 :].strip(), field)


def mask_bytes(data: bytes, max_pixels: int, *, is_inverted: bool) -> bytes:
    """The mask as AUTOMATIC1111 reads it, PNG: by its opacity if it has any, else its brightness.

    Raises InvalidRequest on `mask`.
    """
    with opened(data, "mask", max_pixels) as image:
        mask = (
            image.getchannel("A")
            if image.getchannel("A").getextrema() != PLAIN
            else image.convert("L")
        )
        return as_png(ImageOps.invert(mask) if is_inverted else mask)
