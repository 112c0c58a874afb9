"""One call's rows in two forward passes, where one is more than the device's memory takes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from workers.batching.call import Call, CallSpec


def halves(call: Call) -> tuple[Call, Call]:
    """Two calls that together have the rows of `call`, which has at least two."""
    middle = call.rows // 2
    return _cut(call, 0, middle), _cut(call, middle, call.rows)


def united(outputs: Sequence[Any], spec: CallSpec) -> Any:
    """The outputs of `halves`, as one forward pass would have answered."""
    first = outputs[0]
    if isinstance(first, Tensor):
        return torch.cat(list(outputs)) if first.ndim else first
    if spec.listed_output and isinstance(first, list):
        return [item for output in outputs for item in output]
    if isinstance(first, list | tuple):
        return type(first)(united(items, spec) for items in zip(*outputs, strict=True))
    return first


def _cut(call: Call, start: int, end: int) -> Call:
    spec = call.spec

    def share(name: str, value: Any) -> Any:
        if name in spec.shared or name in spec.same:
            return value
        if name in spec.listed or name in spec.ragged:
            return value[start:end]
        return _rows(value, start, end, call.rows)

    arguments = {name: share(name, value) for name, value in call.arguments.items()}
    return replace(call, arguments=arguments, rows=end - start)


def _rows(value: Any, start: int, end: int, rows: int) -> Any:
    if isinstance(value, Tensor):
        return value[start:end] if value.ndim and len(value) == rows else value
    if isinstance(value, Mapping):
        return {name: _rows(item, start, end, rows) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_rows(item, start, end, rows) for item in value)
    return value
