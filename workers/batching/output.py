"""What a model's forward returns when it is not asked for a tuple."""

from typing import Any


class _Output(tuple[Any, ...]):
    """What a pipeline reads of a model's output: by place or as `.sample`."""

    __slots__ = ()

    @property
    def sample(self) -> Any:
        return self[0]


def as_output(outputs: Any) -> Any:
    """`outputs` as diffusers' output classes show them."""
    return _Output(outputs)
