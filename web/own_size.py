"""The size to draw at when a picture is to be changed and no size is asked for."""

from math import sqrt

from myriad.model import Limits


def own_size(width: int, height: int, limits: Limits) -> tuple[int, int]:
    """The picture's own size in the model's steps, shrunk or grown into its limits (pixels)."""
    shrink = min(
        1.0,
        sqrt(limits.max_pixels / (width * height)),
        limits.max_size / width,
        limits.max_size / height,
    )
    grow = max(1.0, limits.min_size / width, limits.min_size / height)
    factor = shrink if shrink < 1 else grow
    return _snapped(width * factor, limits), _snapped(height * factor, limits)


def _snapped(pixels: float, limits: Limits) -> int:
    # Downwards, so that the whole never has more pixels than the model takes.
    step = limits.size_multiple
    least = -(-limits.min_size // step) * step
    return max(least, min(limits.max_size, int(pixels)) // step * step)
