"""Pictures for uploads: good ones, and files made to hurt whoever opens them."""

import struct
import zlib
from io import BytesIO

from PIL import Image, PngImagePlugin

RED, BLUE = (255, 0, 0), (0, 0, 255)
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """The file's bytes."""
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def picture(kind: str = "PNG", width: int = 48, height: int = 32) -> bytes:
    """Red on the left, blue on the right."""
    image = Image.new("RGB", (width, height), RED)
    image.paste(BLUE, (width // 2, 0, width, height))
    return encoded(image, kind)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def zipped(kind: bytes, head: bytes, data: bytes) -> bytes:
    """A chunk that grows when it is opened."""
    return chunk(kind, head + zlib.compress(data, 9))


def png_of(width: int, height: int, *more: bytes, pixels: bytes = b"") -> bytes:
    """A PNG that says it has this size, with chunks of one's own before its pixels."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return (
        _SIGNATURE
        + header
        + b"".join(more)
        + chunk(b"IDAT", zlib.compress(pixels, 9))
        + chunk(b"IEND", b"")
    )


def jpeg_of(width: int, height: int) -> bytes:
    """A JPEG whose header says it has this size."""
    data = bytearray(picture("JPEG"))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def webp_of(width: int, height: int, flags: int = 0) -> bytes:
    """A WebP whose extended header says it has this canvas."""
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    inner = picture("WEBP")[12:]
    body = b"WEBP" + b"VP8X" + struct.pack("<I", 10) + bytes([flags, 0, 0, 0]) + size + inner
    return b"RIFF" + struct.pack("<I", len(body)) + body


def many_scans() -> bytes:
    """A progressive JPEG that repeats one scan a thousand times."""
    data = encoded(Image.effect_noise((16, 16), 50).convert("RGB"), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    scan = data[last:-2]
    return data[:last] + scan * 1000 + data[-2:]


def frames(kind: str) -> bytes:
    """Two pictures, one after the other."""
    first, second = Image.new("RGB", (16, 16), RED), Image.new("RGB", (16, 16), BLUE)
    return encoded(first, kind, save_all=True, append_images=[second])


def with_secrets(kind: str) -> bytes:
    """A picture that says where it was taken, and by whom."""
    image = Image.open(BytesIO(picture(kind)))
    exif = Image.Exif()
    exif[0x010E], exif[0x9286] = "secret place", "secret comment"
    if kind != "PNG":
        return encoded(image, kind, exif=exif)
    text = PngImagePlugin.PngInfo()
    text.add_text("parameters", "secret prompt", zip=True)
    return encoded(image, kind, exif=exif, pnginfo=text, icc_profile=b"secret profile")


SMALL_ROWS = (b"\0" + b"\xff\0\0" * 8) * 8
BLANK = b"\0" * 200_000_000

BOMBS = {
    "empty": b"",
    "one byte": b"\x89",
    "signature alone": _SIGNATURE,
    "text": b"just text",
    "wrong magic": b"XPNG" + picture()[4:],
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "html": b"<html><img src=x onerror=alert(1)>",
    "gif": encoded(Image.new("RGB", (8, 8)), "GIF"),
    "bmp": encoded(Image.new("RGB", (8, 8)), "BMP"),
    "tiff": encoded(Image.new("RGB", (8, 8)), "TIFF"),
    "ico": encoded(Image.new("RGB", (16, 16)), "ICO"),
    "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) run\n",
    "pdf before a picture": b"%PDF-1.4\n" + picture(),
    "zip": b"PK\x03\x04" + b"\0" * 100,
    "50,000 × 50,000 png": png_of(50_000, 50_000),
    "no width": png_of(0, 8, pixels=SMALL_ROWS),
    "2³¹ pixels wide": png_of(2**31 - 1, 1),
    "16 million pixels and one": png_of(16_777_217, 1),
    "65,000 × 65,000 jpeg": jpeg_of(65_000, 65_000),
    "16,384 × 16,384 webp": webp_of(16_384, 16_384),
    "animated webp": frames("WEBP"),
    "animated png": frames("PNG"),
    "webp that says it is animated": webp_of(48, 32, flags=2),
    "huge profile": png_of(8, 8, zipped(b"iCCP", b"x\0\0", BLANK), pixels=SMALL_ROWS),
    "huge text": png_of(8, 8, zipped(b"zTXt", b"x\0\0", BLANK), pixels=SMALL_ROWS),
    "huge international text": png_of(
        8, 8, zipped(b"iTXt", b"x\0\1\0\0\0", BLANK), pixels=SMALL_ROWS
    ),
    "many texts": png_of(
        8, 8, zipped(b"zTXt", b"x\0\0", BLANK[:1_000_000]) * 200, pixels=SMALL_ROWS
    ),
    "cut png": picture()[:60],
    "cut jpeg": picture("JPEG", 640, 480)[:-2000],
    "cut webp": picture("WEBP", 640, 480)[:-200],
    "png without pixels": png_of(64, 64),
    "png of noise": _SIGNATURE + bytes(range(256)) * 40,
    "jpeg of noise": b"\xff\xd8\xff" + bytes(range(256)) * 40,
    "webp of noise": b"RIFF\0\0\0\0WEBP" + bytes(range(256)) * 40,
    "wrong checksum": picture()[:29] + b"\0\0\0\0" + picture()[33:],
    "a thousand scans": many_scans(),
}
del BLANK
