"""A picture from outside, made harmless: judged by its first bytes, then drawn anew."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from threading import BoundedSemaphore

from PIL import Image, ImageOps

from myriad.errors import InvalidRequest

# A picture of 16 million pixels takes some 200 MB while it is read.
_DECODING = BoundedSemaphore(2)
# Real progressive files have about ten scans; each costs a pass over all pixels.
_MAX_JPEG_SCANS = 100
_COMPRESSION = 3
_HEAD_BYTES = 32
_ANIMATED = 0x02


@dataclass(frozen=True)
class Upload:
    """A checked picture as it will be stored: PNG, upright, RGB (a mask: L), no metadata."""

    data: bytes
    digest: str
    width: int
    height: int


def read_upload(data: bytes, field: str, max_pixels: int, *, is_mask: bool = False) -> Upload:
    """The picture in `data`. Raises InvalidRequest on `field` for anything else.

    Its format and size are known before a pixel is decoded.
    """
    try:
        kind = _kind(data)
        _check_size(_DECLARED[kind](data), max_pixels)
        with _DECODING, Image.open(BytesIO(data), formats=(kind,)) as image:
            _check_size(image.size, max_pixels)
            if kind != "JPEG" and getattr(image, "n_frames", 1) > 1:
                raise _Refused("must be a still picture")
            flat = _flat(ImageOps.exif_transpose(image))
            return _encoded(flat.convert("L") if is_mask else flat)
    except _Refused as refusal:
        raise InvalidRequest(str(refusal), field=field) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise InvalidRequest(_too_many(max_pixels), field=field) from None
    except Exception as error:  # decoders raise whatever comes to hand
        raise InvalidRequest("is damaged or cut short", field=field) from error


class _Refused(Exception):
    """Why the picture is not taken."""


def _kind(data: bytes) -> str:
    if not data:
        raise _Refused("is empty")
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith(b"\xff\xd8\xff"):
        if len(re.findall(b"\xff\xda", data)) > _MAX_JPEG_SCANS:
            raise _Refused("has too many scans")
        return "JPEG"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    raise _Refused("must be a PNG, JPEG or WebP picture")


def _png_size(data: bytes) -> tuple[int, int]:
    if data[12:16] != b"IHDR":
        raise _Refused("is damaged or cut short")
    return int.from_bytes(data[16:20]), int.from_bytes(data[20:24])


def _webp_size(data: bytes) -> tuple[int, int]:
    """From the first chunk of a RIFF container (RFC 9649); libwebp would allocate first."""
    head, kind = data[:_HEAD_BYTES].ljust(_HEAD_BYTES, b"\0"), data[12:16]
    if kind == b"VP8X":
        if head[20] & _ANIMATED:
            raise _Refused("must be a still picture")
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        width, height = (int.from_bytes(head[at : at + 2], "little") for at in (26, 28))
        return width & 0x3FFF, height & 0x3FFF
    raise _Refused("is damaged or cut short")


# Pillow reads a JPEG's size without decoding.
_DECLARED: dict[str, Callable[[bytes], tuple[int, int]]] = {
    "PNG": _png_size,
    "WEBP": _webp_size,
    "JPEG": lambda data: (1, 1),
}


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise _Refused(_too_many(max_pixels))


def _too_many(max_pixels: int) -> str:
    return f"must not have more than {max_pixels} pixels"


def eight_bit(image: Image.Image) -> Image.Image:
    """The picture with 16 bits of grey cut to 8; Pillow would take all above 255 for white."""
    if image.mode.startswith("I"):
        return image.convert("I").point(lambda value: value / 256).convert("L")
    return image


def _flat(image: Image.Image) -> Image.Image:
    """RGB, with white where it was transparent and 16 bits cut to 8."""
    image = eight_bit(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(ground, image)
    return image.convert("RGB")


def _encoded(image: Image.Image) -> Upload:
    image.info = {}  # or the encoder would write profile and text again
    file = BytesIO()
    image.save(file, "PNG", compress_level=_COMPRESSION)
    data = file.getvalue()
    return Upload(data, sha256(data).hexdigest(), image.width, image.height)
