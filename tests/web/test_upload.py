"""Pictures from outside: taken by their first bytes, drawn anew, or refused before any harm."""

import resource
from io import BytesIO

import pytest
from PIL import Image

from myriad.errors import InvalidRequest
from tests.web.bombs import BLUE, BOMBS, RED, encoded, picture, webp_of, with_secrets
from web.doors.transparency import opened
from web.upload import Upload, read_upload

MOST = 16_777_216
KINDS = ("PNG", "JPEG", "WEBP")


def shown(upload: Upload) -> Image.Image:
    image = Image.open(BytesIO(upload.data))
    image.load()
    return image


def near(pixel: object, color: tuple[int, ...]) -> bool:
    assert isinstance(pixel, tuple)
    return all(abs(a - b) < 40 for a, b in zip(pixel, color, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_is_drawn_anew(kind: str) -> None:
    upload = read_upload(picture(kind), "image", MOST)
    image = shown(upload)
    assert (image.format, image.mode, image.size) == ("PNG", "RGB", (48, 32))
    assert (upload.width, upload.height) == (48, 32)
    assert near(image.getpixel((4, 16)), RED)
    assert near(image.getpixel((44, 16)), BLUE)
    assert upload == read_upload(picture(kind), "image", MOST)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_but_pixels_is_kept(kind: str) -> None:
    data = with_secrets(kind)
    assert b"secret" in data
    upload = read_upload(data + b"<script>secret</script>", "image", MOST)
    assert b"secret" not in upload.data
    assert shown(upload).info == {}
    assert {name for name, _ in _chunks(upload.data)} == {b"IHDR", b"IDAT", b"IEND"}


def _chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    found, at = [], 8
    while at < len(data):
        length = int.from_bytes(data[at : at + 4])
        found.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += length + 12
    return found


def test_a_photo_stands_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # taken with the camera turned
    data = encoded(Image.open(BytesIO(picture())), "JPEG", exif=exif)
    image = shown(read_upload(data, "image", MOST))
    assert image.size == (32, 48)
    assert near(image.getpixel((16, 4)), RED)


def test_what_shines_through_becomes_white() -> None:
    clear = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    clear.putpixel((0, 0), (255, 0, 0, 255))
    for image in (clear, clear.convert("LA")):
        drawn = shown(read_upload(encoded(image), "image", MOST))
        assert drawn.mode == "RGB"
        assert drawn.getpixel((7, 7)) == (255, 255, 255)
    palette = Image.new("P", (8, 8), 1)
    palette.putpalette([0, 0, 0, 9, 9, 9])
    drawn = shown(read_upload(encoded(palette, transparency=1), "image", MOST))
    assert drawn.getpixel((3, 3)) == (255, 255, 255)


def test_sixteen_bits_become_eight() -> None:
    deep = Image.new("I;16", (8, 8), 32_768)
    assert shown(read_upload(encoded(deep), "image", MOST)).getpixel((0, 0)) == (128, 128, 128)
    with opened(encoded(deep), "mask", MOST) as image:
        assert image.getpixel((0, 0)) == (128, 128, 128, 255)


def test_other_colors_become_red_green_blue() -> None:
    for mode in ("1", "L", "P", "CMYK"):
        image = Image.new(mode, (8, 8))
        data = encoded(image, "JPEG" if mode == "CMYK" else "PNG")
        assert shown(read_upload(data, "image", MOST)).mode == "RGB"


def test_a_mask_is_gray() -> None:
    mask = Image.new("RGBA", (8, 8), (0, 0, 0, 255))
    mask.putpixel((0, 0), (0, 0, 0, 0))
    image = shown(read_upload(encoded(mask), "mask", MOST, is_mask=True))
    assert image.mode == "L"
    assert (image.getpixel((0, 0)), image.getpixel((7, 7))) == (255, 0)


def test_an_extended_webp_is_read() -> None:
    assert read_upload(webp_of(48, 32), "image", MOST).width == 48


def test_a_phone_s_jpeg_of_two_pictures_shows_its_first() -> None:
    first = Image.open(BytesIO(picture()))
    data = encoded(first, "MPO", save_all=True, append_images=[Image.new("RGB", (48, 32))])
    assert near(shown(read_upload(data, "image", MOST)).getpixel((4, 16)), RED)


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_before_they_go_off(name: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InvalidRequest) as raised:
        read_upload(BOMBS[name], "image", MOST)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert raised.value.field == "image"
    assert "line" not in raised.value.message
    assert after - before < 150_000  # KiB; the least of them claims to hold ten times as much


def test_the_limit_is_the_farm_s() -> None:
    assert read_upload(picture(), "image", 48 * 32)
    for kind in KINDS:
        with pytest.raises(InvalidRequest, match="1535 pixels"):
            read_upload(picture(kind), "image", 48 * 32 - 1)
