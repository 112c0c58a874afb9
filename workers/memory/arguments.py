"""A call's arguments at another number of rows."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

# A tensor, and the rows it shall have; None: it is not batched.
Resize = Callable[[Tensor, int | None], Tensor]


def with_rows(value: Any, rows: int, wanted: int, resize: Resize) -> Any:
    """`value`, of a call with `rows` rows, as one of `wanted` rows would pass it.

    A tensor whose first dimension is `rows` is batched; so is a list of `rows`
    items that are not batched themselves (one tensor a row). All else is shared.
    """
    if isinstance(value, Tensor):
        return resize(value, wanted if _is_batched(value, rows) else None)
    if isinstance(value, Mapping):
        return {name: with_rows(item, rows, wanted, resize) for name, item in value.items()}
    if isinstance(value, list | tuple):
        items = [with_rows(item, rows, wanted, resize) for item in value]
        if len(items) == rows and not any(_is_batched(item, rows) for item in value):
            items = items[:1] * wanted
        return type(value)(items)
    return value


def empty_rows(tensor: Tensor, wanted: int | None) -> Tensor:
    """Of the right shape on the CPU, without values: to be traced."""
    shape = tensor.shape if wanted is None else (wanted, *tensor.shape[1:])
    return torch.empty(shape, dtype=tensor.dtype)


def repeated_rows(tensor: Tensor, wanted: int | None) -> Tensor:
    """The first row again and again: to be run."""
    return tensor if wanted is None else torch.cat([tensor[:1]] * wanted)


def _is_batched(value: Any, rows: int) -> bool:
    return isinstance(value, Tensor) and value.ndim > 0 and len(value) == rows
