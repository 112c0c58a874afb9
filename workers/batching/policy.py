"""What the hub asks of whoever knows how costly rows are."""

from collections.abc import Hashable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from math import inf
from typing import Any, Protocol

from torch import nn


@dataclass(frozen=True)
class Pass:
    """A forward pass that is about to run: `rows` rows of `arguments` to a module's method.

    Arguments named in `listed` are lists of one item a row.
    """

    shape: Hashable
    rows: int
    module: nn.Module
    method: str
    arguments: Mapping[str, Any]
    listed: frozenset[str] = frozenset()


class RowPolicy(Protocol):
    """How many rows are worth running together, learnt from forward passes as they happen.

    `shape` stands for all calls of equal cost a row: module, row shape and dtype.
    """

    def best_rows(self, shape: Hashable, available: int, unit: int) -> int:
        """Rows to run of the `available` ones, of which one request has `unit`."""
        ...

    def most_rows(self, shape: Hashable) -> float:
        """Rows of one request that run in one pass; more have run out of memory."""
        ...

    def watch(self, about: Pass) -> AbstractContextManager[None]:
        """Around each forward pass."""
        ...

    def observe(self, shape: Hashable, rows: int, seconds: float) -> None:
        """A forward pass of `rows` cost `seconds` of the device."""
        ...

    def out_of_memory(self, shape: Hashable, rows: int) -> None:
        """A forward pass of `rows` did not fit."""
        ...

    def close(self) -> None:
        """There will be no more forward passes."""
        ...


class EveryRow:
    """Whatever is there runs together, up to what once was too much."""

    def __init__(self) -> None:
        self._caps: dict[Hashable, int] = {}

    def best_rows(self, shape: Hashable, available: int, unit: int) -> int:
        return max(unit, min(available, self._caps.get(shape, available)))

    def most_rows(self, shape: Hashable) -> float:
        return self._caps.get(shape, inf)

    def watch(self, about: Pass) -> AbstractContextManager[None]:
        return nullcontext()

    def observe(self, shape: Hashable, rows: int, seconds: float) -> None:
        pass

    def out_of_memory(self, shape: Hashable, rows: int) -> None:
        self._caps[shape] = max(1, rows // 2)

    def close(self) -> None:
        pass
