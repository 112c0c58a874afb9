"""Pictures as text: base64, as JSON carries them."""

import base64
import binascii

from myriad.errors import InvalidRequest


def decoded(text: str, field: str) -> bytes:
    """The bytes behind the text, not looked into. Raises InvalidRequest on `field`."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRequest("is not valid base64", field=field) from None
