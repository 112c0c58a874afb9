"""The transparency of pictures that come in: what is stored of them has none."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from threading import Lock

from PIL import Image, ImageOps

from web.upload import eight_bit, read_upload

PLAIN = (255, 255)
"""Least and greatest opacity of a picture without transparency."""

_DECODING = Lock()


@contextmanager
def opened(data: bytes, field: str, max_pixels: int) -> Iterator[Image.Image]:
    """The picture, upright RGBA, one at a time. Raises InvalidRequest on `field`."""
    read_upload(data, field, max_pixels)  # refuses all that would do harm here
    with _DECODING, Image.open(BytesIO(data), formats=("PNG", "JPEG", "WEBP")) as image:
        yield eight_bit(ImageOps.exif_transpose(image)).convert("RGBA")


def as_png(image: Image.Image) -> bytes:
    """The picture as a PNG file."""
    file = BytesIO()
    image.save(file, "PNG", compress_level=1)
    return file.getvalue()
