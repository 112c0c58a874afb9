"""One call of a shared module, as it waits for company."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from workers.batching.fingerprint import fingerprint


@dataclass(frozen=True)
class CallSpec:
    """What cannot be read off a module's signature; arguments are meant by name.

    `rows`: the argument that counts the rows, by its first dimension or its length.
    `timestep`: may be one number for all rows and is made one number a row.
    `shared`: tensors without rows (id grids); calls must agree on their content.
    `same`: id grids with rows, of which the model reads the first for all of them.
    `listed`: lists of one item a row, tensors of one shape or equal values.
    `ragged`: lists of one tensor a row, which may differ in shape.
    `padded`: text [rows, tokens, width] and the name of its mask [rows, tokens]: calls of
    different length share a batch. `optional`: what is added to the model's own
    activations, so that zeros are as good as nothing (ControlNet residuals).
    `scale`: a factor on all outputs, applied to each call's own.
    `listed_output`: the output, too, is a list of one tensor a row.
    `nothing`: what the module answers when it has nothing to say (None: zeros as `rows`).
    `precedes_another`: its answer goes into another shared module. Such calls run first,
    so that their requests meet at that one those who come without.
    """

    rows: str = "hidden_states"
    timestep: str | None = "timestep"
    shared: frozenset[str] = frozenset()
    same: frozenset[str] = frozenset()
    listed: frozenset[str] = frozenset()
    ragged: frozenset[str] = frozenset()
    padded: Mapping[str, str] = field(default_factory=dict)
    optional: frozenset[str] = frozenset()
    scale: str | None = None
    listed_output: bool = False
    nothing: tuple[Any, ...] | None = None
    precedes_another: bool = False


@dataclass(frozen=True)
class Call:
    """Arguments by name.

    Calls of one module and equal `key` may be joined; `shape` tells their cost a row.
    """

    spec: CallSpec
    arguments: Mapping[str, Any]
    rows: int
    key: Hashable
    shape: Hashable
    returns_dict: bool
    scale: float | None = None


def make_call(
    spec: CallSpec, kind: Hashable, arguments: Mapping[str, Any], *, strict: bool = False
) -> Call:
    """Describe a call of a module of that `kind`.

    With `strict`, texts of different length do not share a batch.
    Raises TypeError if a list that should have an item a row has not.
    """
    counted = arguments[spec.rows]
    rows = len(counted)
    named = {name: value for name, value in arguments.items() if name != "return_dict"}
    scale = named.pop(spec.scale, None) if spec.scale else None
    if spec.timestep:
        device = counted.device if isinstance(counted, Tensor) else counted[0].device
        named[spec.timestep] = time_per_row(named[spec.timestep], rows, device)
    return Call(
        spec=spec,
        arguments=named,
        rows=rows,
        key=(strict, *_key(spec, named, rows, strict)),
        shape=(kind, _describe(spec, spec.rows, counted, rows)),
        returns_dict=arguments.get("return_dict", True),
        scale=scale,
    )


def time_per_row(value: Any, rows: int, device: torch.device) -> Tensor:
    """One float32 a row: [rows], or as it is if each row has a time a token."""
    # Schedulers count time in whole or in broken numbers; models take either as
    # float32, so one type lets both kinds share a batch.
    time = torch.as_tensor(value, device=device).to(torch.float32)
    if time.ndim > 1:
        return time
    return time.expand(rows) if time.ndim == 0 else time.reshape(-1).expand(rows)


def _key(spec: CallSpec, named: Mapping[str, Any], rows: int, strict: bool) -> list[Hashable]:
    loose = () if strict else (*spec.padded, *spec.padded.values())
    key: list[Hashable] = []
    for name, value in sorted(named.items()):
        if name in spec.padded and not strict:
            key.append((name, value.shape[2:], value.dtype, value.device))
        elif name in spec.ragged and not strict:
            _check_items(name, value, rows)
        elif name not in loose and name not in spec.optional:
            key.append((name, _describe(spec, name, value, rows)))
    return key


def _describe(spec: CallSpec, name: str, value: Any, rows: int) -> Hashable:
    if name in spec.ragged:
        _check_items(name, value, rows)
        return tuple(_item(each) for each in value)
    if name in spec.listed:
        _check_items(name, value, rows)
        items = {_item(each) for each in value}
        return ("listed", *items) if len(items) == 1 else tuple(_item(each) for each in value)
    if name in spec.same:
        return ("same", fingerprint(value, of_first_row=True))
    if name in spec.shared:
        return ("shared", fingerprint(value))
    return _shape_of(value, rows)


def _check_items(name: str, value: Any, rows: int) -> None:
    if len(value) != rows:
        raise TypeError(f"{name} has {len(value)} items for {rows} rows")


def _item(value: Any) -> Hashable:
    if isinstance(value, Tensor):
        return (tuple(value.shape), value.dtype, value.device)
    return _shape_of(value, 0)


def _shape_of(value: Any, rows: int) -> Hashable:
    """What must be equal for `value` to be joined with another call's."""
    if isinstance(value, Tensor):
        if value.ndim and len(value) == rows:
            return ("rows", tuple(value.shape[1:]), value.dtype, value.device)
        return ("shared", fingerprint(value))
    if isinstance(value, Mapping):
        return tuple((name, _shape_of(item, rows)) for name, item in sorted(value.items()))
    if isinstance(value, list | tuple):
        return tuple(_shape_of(item, rows) for item in value)
    if value is None or isinstance(value, bool | int | float | str):
        return ("value", value)
    return ("object", id(value))  # of no known meaning: nobody joins
