"""Pictures as the doors store them: PNG bytes by their SHA-256."""

import hashlib
import io

import numpy as np
from PIL import Image


def png(image: Image.Image) -> tuple[str, bytes]:
    """Digest and bytes."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    data = buffer.getvalue()
    return hashlib.sha256(data).hexdigest(), data


def noise_picture(width: int = 40, height: int = 52, seed: int = 0) -> Image.Image:
    """Random colours, of no size that a job has."""
    levels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(levels)


def half_mask(width: int = 40, height: int = 52) -> Image.Image:
    """White, to be drawn anew, on the right."""
    mask = Image.new("L", (width, height), 0)
    mask.paste(255, (width // 2, 0, width, height))
    return mask
