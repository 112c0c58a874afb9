"""OpenAI's masks say by transparency what to draw anew; ours say it in white."""

from PIL import ImageChops

from myriad.errors import InvalidRequest
from web.doors.transparency import PLAIN, as_png, opened
from web.farm import current_farm


def white_where_transparent(data: bytes) -> bytes:
    """A grey PNG of the mask's size. Raises InvalidRequest on `mask`."""
    with opened(data, "mask", current_farm().settings.max_input_pixels) as image:
        alpha = image.getchannel("A")
    if alpha.getextrema() == PLAIN:
        raise InvalidRequest("must be transparent where to draw anew", field="mask")
    return as_png(ImageChops.invert(alpha))
