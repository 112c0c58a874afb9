"""The form of a node: what goes in, what comes out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Run = Callable[[str, Mapping[str, Any]], tuple[Any, ...]]
"""A node's work: from its id and its inputs to its outputs. Raises NodeRefused."""


@dataclass(frozen=True)
class Input:
    """One input. `kind` is ComfyUI's type; for `COMBO`, `choices` says what to choose from:
    a list of the farm's offer by name, or the values themselves.
    """

    kind: str
    default: Any = None
    least: float | None = None
    most: float | None = None
    step: float | None = None
    choices: str | tuple[str, ...] = ()
    is_required: bool = True
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_link(self) -> bool:
        """Whether only another node's output will do."""
        return self.kind not in ("INT", "FLOAT", "STRING", "COMBO", "FILE")


@dataclass(frozen=True)
class NodeSpec:
    """A kind of node: `outputs` are ComfyUI's types with their names."""

    title: str
    category: str
    inputs: Mapping[str, Input]
    outputs: tuple[tuple[str, str], ...]
    run: Run
    is_output: bool = False


def link(kind: str) -> Input:
    """An input that only a link can fill."""
    return Input(kind)


def choice(choices: str | tuple[str, ...], default: Any = None) -> Input:
    """An input that takes one of some names."""
    return Input("COMBO", default, choices=choices)


def whole(default: int, least: int, most: int, step: int = 1) -> Input:
    """A whole number."""
    return Input("INT", default, least, most, step)


def number(default: float, least: float, most: float, step: float = 0.01) -> Input:
    """A number."""
    return Input("FLOAT", default, least, most, step)


def same(*kinds: str) -> tuple[tuple[str, str], ...]:
    """Outputs that are called by their types."""
    return tuple((kind, kind) for kind in kinds)
