"""Reading infotext: out of a picture, and into its parts."""

import json
import re
from contextlib import suppress
from io import BytesIO

from PIL import Image

from myriad.infotext import NEGATIVE
from web.upload import read_upload

_EXIF_IFD = 0x8769
_USER_COMMENT = 0x9286
_MARK_BYTES = 8  # of the encoding, before an EXIF comment
_PAIR = re.compile(r'\s*+(\w[\w ()/-]{0,59}):\s*+("(?:\\.|[^\\"])*"|[^,]*)(?:,|$)')
_LEAST_PAIRS = 3
_MOST_CHARS = 4000


def text_of(data: bytes, max_pixels: int) -> str:
    """The infotext in a picture, empty if there is none. Raises InvalidRequest on `image`."""
    read_upload(data, "image", max_pixels)  # refuses what is no picture or too much of one
    with Image.open(BytesIO(data), formats=("PNG", "JPEG", "WEBP")) as image:
        text = image.info.get("parameters")
        if isinstance(text, str):
            return text
        comment = None
        with suppress(Exception):  # the pixels are sound, but EXIF may point anywhere
            comment = image.getexif().get_ifd(_EXIF_IFD).get(_USER_COMMENT)
    if not isinstance(comment, bytes) or not comment.startswith(b"UNICODE\0"):
        return ""
    return comment[_MARK_BYTES:].decode("utf-16-be", "replace")


def read_infotext(text: str) -> dict[str, str]:
    """Prompt, negative prompt and each `Name: value`; nothing of a text that has no such line."""
    if not text:
        return {}
    *lines, last = text.strip().split("\n")
    pairs = _PAIR.findall(last) if len(last) <= _MOST_CHARS else []
    if len(pairs) < _LEAST_PAIRS:
        lines, pairs = [*lines, last], []
    start = next((at for at, line in enumerate(lines) if line.startswith(NEGATIVE)), len(lines))
    negative = "\n".join(lines[start:]).removeprefix(NEGATIVE).strip()
    return {
        "Prompt": "\n".join(lines[:start]).strip(),
        "Negative prompt": negative,
        **{name.strip(): _value(value) for name, value in pairs},
    }


def _value(text: str) -> str:
    if text.startswith('"'):
        with suppress(ValueError):
            return str(json.loads(text))
    return text.strip()
