"""The size to draw when a client asks for one that the model cannot make."""

from math import sqrt

from myriad.model import Model
from web.own_size import own_size


def fitting_size(width: int, height: int, model: Model) -> tuple[int, int]:
    """The size nearest to what was asked that `model` makes, in the same shape (pixels).

    Clients ask for 1024x1024 whatever the model is. What is beyond its limits is drawn
    with as many pixels as it draws by default: it draws best there, not at its limit.
    """
    limits, own = model.limits, model.defaults
    if max(width, height) > limits.max_size or width * height > limits.max_pixels:
        factor = sqrt(own.width * own.height / (width * height))
        width, height = round(width * factor), round(height * factor)
    return own_size(max(1, width), max(1, height), limits)
