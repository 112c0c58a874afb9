"""A call's arguments at another number of rows."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

import torch
from torch import Tensor

# A tensor, and the rows it shall have; None: it is not batched.
Resize = Callable[[Tensor, int | None], Tensor]


def with_rows(
    arguments: Mapping[str, Any],
    rows: int,
    wanted: int,
    resize: Resize,
    listed: Collection[str] = (),
) -> dict[str, Any]:
    """`arguments`, by name, of a call with `rows` rows, as one of `wanted` rows would pass them.

    Those named in `listed` are lists of one item a row, and get more like the first.
    Elsewhere a tensor whose first dimension is `rows` is batched. All else is shared.
    """

    def in_rows(tensor: Tensor) -> Tensor:
        is_batched = tensor.ndim > 0 and len(tensor) == rows
        return resize(tensor, wanted if is_batched else None)

    def whole(tensor: Tensor) -> Tensor:
        return resize(tensor, None)

    return {
        name: [_mapped(value[0], whole)] * wanted if name in listed else _mapped(value, in_rows)
        for name, value in arguments.items()
    }


def empty_rows(tensor: Tensor, wanted: int | None) -> Tensor:
    """Of the right shape on the CPU, without values: to be traced."""
    shape = tensor.shape if wanted is None else (wanted, *tensor.shape[1:])
    return torch.empty(shape, dtype=tensor.dtype)


def repeated_rows(tensor: Tensor, wanted: int | None) -> Tensor:
    """The first row again and again: to be run."""
    return tensor if wanted is None else torch.cat([tensor[:1]] * wanted)


def _mapped(value: Any, act: Callable[[Tensor], Tensor]) -> Any:
    """`value` with `act` done to each tensor in it."""
    if isinstance(value, Tensor):
        return act(value)
    if isinstance(value, Mapping):
        return {name: _mapped(item, act) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_mapped(item, act) for item in value)
    return value
