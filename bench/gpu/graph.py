"""A forward as one CUDA graph: its kernels are launched by the device, not one by one by us."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

_WARM_UPS = 3
Forward = Callable[..., Any]


class GraphedForward:
    """Replays `forward`, one graph for each set of shapes it is called with.

    Safe where `forward` is: it must not look at values on the host, and everything
    but its tensor arguments must stay as it was (weights in place, same branches).
    Outputs are copies, so the next replay does not change them.
    """

    def __init__(self, forward: Forward, device: torch.device) -> None:
        self._forward, self._device = forward, device
        self._captures: dict[Any, _Capture] = {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        leaves, tree = tree_flatten((args, kwargs))
        key = (len(args), *kwargs, *(_mark(leaf) for leaf in leaves))
        if key not in self._captures:
            self._captures[key] = _Capture(self._forward, leaves, tree, self._device)
        return self._captures[key].replay(leaves)


class _Capture:
    """One graph with the buffers it reads and writes."""

    def __init__(
        self, forward: Forward, leaves: list[Any], tree: Any, device: torch.device
    ) -> None:
        self._buffers = [
            leaf.to(device).clone() if isinstance(leaf, Tensor) else leaf for leaf in leaves
        ]
        args, kwargs = tree_unflatten(self._buffers, tree)
        # Compilation, library handles and the choice of algorithms all happen before capture.
        side = torch.cuda.Stream(device)
        side.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(side):
            for _ in range(_WARM_UPS):
                forward(*args, **kwargs)
        torch.cuda.current_stream(device).wait_stream(side)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._output = forward(*args, **kwargs)

    def replay(self, leaves: list[Any]) -> Any:
        for buffer, leaf in zip(self._buffers, leaves, strict=True):
            if isinstance(leaf, Tensor):
                buffer.copy_(leaf)
        self._graph.replay()
        return tree_map(
            lambda leaf: leaf.clone() if isinstance(leaf, Tensor) else leaf, self._output
        )


def _mark(leaf: Any) -> Any:
    """What must be the same for a graph to fit: shape and dtype, or the value itself."""
    return (leaf.shape, leaf.dtype) if isinstance(leaf, Tensor) else leaf
