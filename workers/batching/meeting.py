"""Where requests meet: a module's method that parks, and the real one that runs in its stead."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from torch import nn

Forward = Callable[..., Any]
Result = TypeVar("Result")

_MARK: Final = "_meeting"


@dataclass
class Meeting:
    """A park point: the real forward, and what makes the module carry a request's adapters.

    Without `put_on` the module never carries any: requests with different ones meet.
    """

    module: nn.Module
    method: str
    forward: Forward
    put_on: Callable[[Hashable], None] | None
    out_channels: int | None

    def stand_in(self, parked: Forward) -> None:
        """Let `parked` be called in place of the real forward."""
        setattr(parked, _MARK, self)
        setattr(self.module, self.method, parked)


def beneath(module: nn.Module, act: Callable[[nn.Module], Result]) -> Result:
    """`act(module)`, for hooks that are to run with each forward pass, not with each call.

    Those that are parked already run through them as well.
    """
    parked: Any = module.forward
    meeting = getattr(parked, _MARK, None)
    if meeting is None:
        return act(module)
    module.forward = meeting.forward
    try:
        return act(module)
    finally:
        meeting.forward, module.forward = module.forward, parked
