"""The mask of a graph: made from a channel of a file that was handed in."""

from io import BytesIO

from PIL import Image, ImageFilter, ImageOps

from myriad.errors import InvalidRequest
from myriad.inputs import input_key
from web.auth import Caller
from web.doors.comfyui.value import Mask
from web.doors.transparency import as_png
from web.farm import current_farm
from web.inputs import Inputs


def mask_png(mask: Mask, caller: Caller) -> bytes:
    """The mask as a grey PNG. Raises InvalidRequest on `mask` if the file is not the caller's."""
    if not Inputs(caller).find([mask.digest]):
        raise InvalidRequest("no such input; hand the picture in again", field="mask")
    data = current_farm().storage.get(input_key(mask.digest))
    with Image.open(BytesIO(data), formats=("PNG",)) as image:
        channel = image.convert("L" if mask.channel == "L" else "RGB")
        if mask.channel != "L":
            channel = channel.getchannel(mask.channel)
        if mask.is_inverted:
            channel = ImageOps.invert(channel)
        return as_png(grown(channel, mask.grow_px))


def grown(mask: Image.Image, pixels: int) -> Image.Image:
    """White spread by some pixels, first sideways, then up and down: a cost of its size alone."""
    for radii in ((pixels, 0), (0, pixels)) if pixels else ():
        blurred = mask.point(_white).filter(ImageFilter.BoxBlur(radii))
        mask = blurred.point(_any)
    return mask


def _white(value: int) -> int:
    return 255 if value > 127 else 0


def _any(value: int) -> int:
    return 255 if value else 0
