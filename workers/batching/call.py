"""One call of a shared module, as it waits for company."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class CallSpec:
    """What cannot be read off a module's signature: its rows, and its time.

    `rows` names the argument whose first dimension counts them; `timestep` the
    one that may be a number for all rows and is made one number a row.
    """

    rows: str
    timestep: str


UNET = CallSpec(rows="sample", timestep="timestep")


@dataclass(frozen=True)
class Call:
    """Arguments by name, every batchable tensor with `rows` as its first dimension."""

    arguments: Mapping[str, Any]
    rows: int
    key: Hashable
    returns_dict: bool


def make_call(spec: CallSpec, module_id: int, arguments: Mapping[str, Any]) -> Call:
    """Describe a call so that equal keys mean: may be concatenated row by row."""
    rows = len(arguments[spec.rows])
    device = arguments[spec.rows].device
    named = {name: value for name, value in arguments.items() if name != "return_dict"}
    named[spec.timestep] = _time_per_row(named[spec.timestep], rows, device)
    key = (module_id, *((name, _shape_of(value, rows)) for name, value in sorted(named.items())))
    return Call(named, rows, key, arguments.get("return_dict", True))


def concatenate(calls: list[Call]) -> dict[str, Any]:
    """The arguments of one forward pass for all of `calls`, which have one key."""
    if len(calls) == 1:
        return dict(calls[0].arguments)
    return {name: _join([call.arguments[name] for call in calls]) for name in calls[0].arguments}


def split(outputs: tuple[Tensor, ...], calls: list[Call]) -> list[tuple[Tensor, ...]]:
    """Each call's share of a forward pass's outputs, in order."""
    sizes = [call.rows for call in calls]
    parts = [torch.split(output, sizes) for output in outputs]
    return [tuple(part[index] for part in parts) for index in range(len(calls))]


def _time_per_row(value: Any, rows: int, device: torch.device) -> Tensor:
    # Schedulers count time in whole or in broken numbers; models take either as
    # float32, so one type lets both kinds share a batch.
    time = torch.as_tensor(value, device=device).to(torch.float32)
    return time.expand(rows) if time.ndim == 0 else time.reshape(-1).expand(rows)


def _shape_of(value: Any, rows: int) -> Hashable:
    """What must be equal for `value` to be joined with another call's."""
    if isinstance(value, Tensor):
        if value.ndim and len(value) == rows:
            return ("rows", tuple(value.shape[1:]), value.dtype, value.device)
        return ("shared", id(value))  # of no known meaning: nobody joins
    if isinstance(value, Mapping):
        return tuple((name, _shape_of(item, rows)) for name, item in sorted(value.items()))
    if isinstance(value, list | tuple):
        return tuple(_shape_of(item, rows) for item in value)
    if value is None or isinstance(value, bool | int | float | str):
        return ("value", value)
    return ("object", id(value))


def _join(values: list[Any]) -> Any:
    first = values[0]
    if isinstance(first, Tensor):
        return torch.cat(values)
    if isinstance(first, Mapping):
        return {name: _join([value[name] for value in values]) for name in first}
    if isinstance(first, list | tuple):
        return type(first)(_join(list(items)) for items in zip(*values, strict=True))
    return first
