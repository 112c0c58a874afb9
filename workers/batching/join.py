"""Many calls' arguments as one forward pass's, and its outputs as many again."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from workers.batching.call import Call, CallSpec


def join(calls: Sequence[Call], bucket: int = 0) -> dict[str, Any]:
    """The arguments of one forward pass for `calls`, which have one key.

    With a `bucket` there are as many rows in it, repeated in order if need be: then a
    row's neighbours have the same lengths, and the batch the same layout in memory,
    whoever they belong to.
    """
    first = calls[0]
    arguments = {**first.arguments}
    if len(calls) > 1:
        arguments = {name: _join_argument(name, calls) for name in _names(calls)}
        arguments |= _join_texts(calls)
    if first.spec.scale:
        arguments[first.spec.scale] = 1.0
    if not bucket:
        return arguments
    rows = sum(call.rows for call in calls)
    return {
        name: _filled(name, value, first.spec, rows, bucket) for name, value in arguments.items()
    }


def split(outputs: Any, calls: Sequence[Call], bucket: int = 0) -> list[Any]:
    """Each call's share of what a forward pass returned, in order."""
    rows = max(bucket, sum(call.rows for call in calls))
    shares, start = [], 0
    for call in calls:
        share = _cut(outputs, start, start + call.rows, rows, call.spec.listed_output)
        shares.append(share if call.scale is None else _scaled(share, call.scale))
        start += call.rows
    return shares


def zeros(call: Call, channels: int | None) -> Any:
    """What a model that has nothing to say would answer with; `channels` are its output's."""
    counted = call.arguments[call.spec.rows]
    if call.spec.nothing is not None:
        return call.spec.nothing
    if call.spec.listed_output:
        return ([torch.zeros_like(item) for item in counted],)
    if counted.ndim > 3 and channels:
        return (counted.new_zeros((len(counted), channels, *counted.shape[2:])),)
    return (torch.zeros_like(counted),)


def _names(calls: Sequence[Call]) -> list[str]:
    """Of all arguments; optional ones may be missing from some calls."""
    return list(dict.fromkeys(name for call in calls for name in call.arguments))


def _join_argument(name: str, calls: Sequence[Call]) -> Any:
    spec = calls[0].spec
    values: list[Any] = [call.arguments.get(name) for call in calls]
    if name in spec.optional:
        return _join_optional(values, calls)
    if name in spec.padded or name in spec.padded.values():
        return values[0]  # joined with their masks, by `_join_texts`
    if name in spec.listed or name in spec.ragged:
        return [item for value in values for item in value]
    if name in spec.shared or name in spec.same:
        return values[0]
    return _join_values(values, calls[0].rows)


def _join_values(values: Sequence[Any], rows: int) -> Any:
    first = values[0]
    if isinstance(first, Tensor):
        return torch.cat(list(values)) if first.ndim and len(first) == rows else first
    if isinstance(first, Mapping):
        return {name: _join_values([value[name] for value in values], rows) for name in first}
    if isinstance(first, list | tuple):
        items = zip(*values, strict=True)
        return type(first)(_join_values(item, rows) for item in items)
    return first


def _join_optional(values: Sequence[Any], calls: Sequence[Call]) -> Any:
    """Like any other, with zeros for the calls that have none."""
    present: Any = next((value for value in values if value is not None), None)
    if present is None:
        return None
    filled: list[Any] = [
        value if value is not None else _zeros_like(present, call.rows)
        for value, call in zip(values, calls, strict=True)
    ]
    if isinstance(present, Tensor):
        return torch.cat([*filled])
    return type(present)(torch.cat([*items]) for items in zip(*filled, strict=True))


def _zeros_like(value: Any, rows: int) -> Any:
    if isinstance(value, Tensor):
        return value.new_zeros((rows, *value.shape[1:]))
    return type(value)(_zeros_like(item, rows) for item in value)


def _join_texts(calls: Sequence[Call]) -> dict[str, Any]:
    joined: dict[str, Any] = {}
    for text_name, mask_name in calls[0].spec.padded.items():
        texts = [call.arguments[text_name] for call in calls]
        masks: list[Any] = [call.arguments.get(mask_name) for call in calls]
        longest = max(text.shape[1] for text in texts)
        if any(mask is not None for mask in masks) or any(t.shape[1] < longest for t in texts):
            masks = [_mask(text, mask, longest) for text, mask in zip(texts, masks, strict=True)]
            texts = [pad(text, (0, 0, 0, longest - text.shape[1])) for text in texts]
            joined[mask_name] = torch.cat(masks)
        joined[text_name] = torch.cat(texts)
    return joined


def _mask(text: Tensor, mask: Tensor | None, longest: int) -> Tensor:
    """[rows, longest], 1 for what is text and 0 for what is padding."""
    kept = text.new_ones(text.shape[:2], dtype=torch.bool) if mask is None else mask.bool()
    return pad(kept, (0, longest - text.shape[1]))


def _filled(name: str, value: Any, spec: CallSpec, rows: int, bucket: int) -> Any:
    if name in spec.shared or name in spec.same:
        return value
    if name in spec.listed or name in spec.ragged:
        return [value[place % rows] for place in range(bucket)]
    return _fill(value, rows, bucket)


def _fill(value: Any, rows: int, bucket: int) -> Any:
    """`value` with its rows repeated up to `bucket`, wherever there are rows."""
    if isinstance(value, Tensor):
        if not value.ndim or len(value) != rows:
            return value
        return value[torch.arange(bucket, device=value.device) % rows].contiguous()
    if isinstance(value, Mapping):
        return {name: _fill(item, rows, bucket) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_fill(item, rows, bucket) for item in value)
    return value


def _cut(value: Any, start: int, end: int, rows: int, is_listed: bool) -> Any:
    if isinstance(value, Tensor):
        return value[start:end] if value.ndim and len(value) == rows else value
    if isinstance(value, list) and is_listed and len(value) == rows:
        return value[start:end]
    if isinstance(value, list | tuple):
        return type(value)(_cut(item, start, end, rows, is_listed) for item in value)
    return value


def _scaled(value: Any, scale: float) -> Any:
    if isinstance(value, Tensor):
        return value * scale
    return type(value)(_scaled(item, scale) for item in value)
