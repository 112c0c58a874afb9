"""Finished images and videos as files that carry their own recipe."""

import base64
import io
import re
import zlib
from collections.abc import Sequence
from typing import Any, Final

from PIL import Image as Images
from PIL import UnidentifiedImageError
from PIL.Image import Exif, Image
from PIL.PngImagePlugin import PngInfo

from myriad.infotext import infotext
from myriad.model import Defaults
from myriad.params import VIDEO_FORMAT, GenerationParams
from tasks.runner import Picture
from workers.label import Labelling, aigc_label, xmp
from workers.mark import with_mark
from workers.recipe import read_recipe, write_recipe
from workers.video import CONTENT_TYPE, encode_video, even_sided, read_comment

CONTENT_TYPES: Final = {"png": "image/png", "webp": "image/webp", "jpeg": "image/jpeg"}
THUMBNAIL_PX: Final = 256
PLAIN: Final = Labelling()

_EXIF_IFD: Final = 0x8769
_USER_COMMENT: Final = 0x9286
# A JPEG segment holds 65,533 bytes, of which XMP's own mark takes 29.
_JPEG_SEGMENT_BYTES: Final = 65_500
_MP4_MARK: Final = b"ftyp"
_RECIPE_BYTES: Final = 1 << 20
_XMP_RECIPE: Final = re.compile(rb'myriad:job="([A-Za-z0-9+/=]*)"')


def make_picture(
    frames: Sequence[Image],
    model: str,
    params: GenerationParams,
    place: int,
    labelling: Labelling = PLAIN,
) -> Picture:
    """Image or video number `place` of a job, its metadata that of a job of its own seed alone."""
    seed = params.seeds[place]
    own = params.model_copy(update={"seed": seed, "num_images": 1})
    marked = [with_mark(frame, labelling.mark, labelling.font) for frame in frames]
    if params.output_format == VIDEO_FORMAT:
        return _make_video(marked, model, own, labelling)
    [image] = marked
    return Picture(
        data=encode_image(image, model, own, labelling),
        content_type=CONTENT_TYPES[params.output_format],
        width=image.width,
        height=image.height,
        seed=seed,
        # A picture that is small itself needs no other.
        thumbnail=thumbnail(image) if max(image.size) > THUMBNAIL_PX else None,
    )


def encode_image(
    image: Image, model: str, params: GenerationParams, labelling: Labelling = PLAIN
) -> bytes:
    """The image in `params.output_format`; `read_metadata` restores model and params from it.

    PNG carries text chunks `parameters` (infotext) and `myriad` (JSON); the others
    carry the infotext in EXIF UserComment and the JSON in XMP. What exceeds a JPEG
    segment, some ten thousand characters, is left out rather than cut. The labels, in
    XMP, are always there.
    """
    aigc = aigc_label(labelling.producer, [image])
    text = recipe = ""
    if labelling.has_recipe:
        text, recipe = infotext(model, params), write_recipe(model, params)
    buffer = io.BytesIO()
    match params.output_format:
        case "png":
            image.save(buffer, "PNG", pnginfo=_png_info(text, recipe, aigc))
        case "webp":
            image.save(buffer, "WEBP", quality=90, exif=_exif(text), xmp=xmp(aigc, recipe))
        case "jpeg":
            exif, packet = _exif(text), xmp(aigc, recipe)
            image.save(
                buffer,
                "JPEG",
                quality=92,
                subsampling=0,
                exif=exif if len(exif) <= _JPEG_SEGMENT_BYTES else b"",
                xmp=packet if len(packet) <= _JPEG_SEGMENT_BYTES else xmp(aigc),
            )
    return buffer.getvalue()


def read_metadata(data: bytes) -> tuple[str, GenerationParams] | None:
    """The model and params a picture or video of ours was made with; None for any other bytes."""
    try:
        recipe = read_comment(data) if data[4:8] == _MP4_MARK else _from_image(data)
    except (UnidentifiedImageError, Images.DecompressionBombError, OSError, SyntaxError):
        return None
    except (ValueError, TypeError, zlib.error):
        return None
    return None if recipe is None else read_recipe(recipe)


def thumbnail(image: Image) -> bytes:
    """WebP of at most 256 px on the long side, without metadata."""
    small = image.copy()
    small.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=80)
    return buffer.getvalue()


def _make_video(
    frames: Sequence[Image], model: str, params: GenerationParams, labelling: Labelling
) -> Picture:
    fps = params.fps or Defaults().fps
    first = even_sided(frames[0])
    recipe = write_recipe(model, params) if labelling.has_recipe else ""
    return Picture(
        data=encode_video(frames, fps, recipe, aigc_label(labelling.producer, frames)),
        content_type=CONTENT_TYPE,
        width=first.width,
        height=first.height,
        seed=params.seed,
        thumbnail=thumbnail(first),
        num_frames=len(frames),
        fps=fps,
    )


def _png_info(text: str, recipe: str, aigc: str) -> PngInfo:
    info = PngInfo()
    if recipe:
        info.add_text("parameters", text)
        info.add_text("myriad", recipe)
    info.add_itxt("XML:com.adobe.xmp", xmp(aigc).decode())
    return info


def _exif(text: str) -> bytes:
    if not text:
        return b""
    exif = Exif()
    exif.get_ifd(_EXIF_IFD)[_USER_COMMENT] = b"UNICODE\0" + text.encode("utf-16-be")
    return exif.tobytes()


def _from_image(data: bytes) -> Any:
    """The recipe inside a picture; ValueError or what Pillow raises if there is none."""
    with Images.open(io.BytesIO(data), formats=("PNG", "WEBP", "JPEG")) as image:
        return image.info.get("myriad") or _from_xmp(image.info.get("xmp", b""))


def _from_xmp(packet: bytes) -> Any:
    """The recipe inside an XMP packet, as bytes; ValueError if there is none."""
    found = _XMP_RECIPE.search(packet)
    if not found:
        raise ValueError("no recipe")
    return zlib.decompressobj().decompress(base64.b64decode(found[1]), _RECIPE_BYTES)
