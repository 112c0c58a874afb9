"""Pictures in an input: a file that was handed in, or a data URI; never another's address."""

import re

from myriad.errors import InvalidRequest
from web.base64_text import decoded

_DATA_URI = re.compile(r"data:[\w.+-]{1,64}/[\w.+-]{1,64};base64,")
_FILE = re.compile(r"(?:https?://[^/?#\s]{1,255})?/v1/files/([0-9a-f]{64})")


def picture_of(text: str, field: str) -> str | bytes:
    """The id of an input, or the bytes of a picture. Raises InvalidRequest on `field`."""
    if found := _FILE.fullmatch(text):
        return found[1]
    head = _DATA_URI.match(text)
    if head is None:
        raise InvalidRequest(
            "must be a file of /v1/files or a data URI; other addresses are not fetched",
            field=field,
        )
    return decoded(text[head.end() :], field)
