"""Embeddings for pipelines that, given ready ones, expect a row an image."""

from typing import Any

from torch import Tensor

from workers.conditions import Embeds


def repeated(embeds: Embeds, num_images: int) -> Embeds:
    """Each tensor's one row, or a list's one item, once an image."""
    return {name: _repeated(value, num_images) for name, value in embeds.items()}


def _repeated(value: Any, num_images: int) -> Any:
    if isinstance(value, Tensor):
        return value.repeat_interleave(num_images, 0)
    return value * num_images if isinstance(value, list) else value
