"""Signatures that diffusers asks for at each call, made ready once."""

import inspect

from torch import nn


def remember_signatures(module: nn.Module) -> None:
    """Of the attention processors in it: to read one anew takes longer than a small product.

    `inspect.signature` believes what it finds written on a function.
    """
    for part in module.modules():
        kind = type(getattr(part, "processor", None))
        function = inspect.getattr_static(kind, "__call__", None)
        if inspect.isfunction(function) and not hasattr(function, "__signature__"):
            function.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]
