"""A model without weights: its calls have shapes and sizes, and take no memory or device."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch._subclasses import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from workers.memory.arguments import empty_rows, with_rows
from workers.memory.live import LiveBytes
from workers.memory.row_memory import RowMemory

# Two points make the line. Not 1: a sliced VAE takes another path there.
_TRACED_ROWS: Final = (2, 8)
_FLAGS: Final = ("use_slicing", "use_tiling")


class NotTraceable(Exception):
    """A model whose code needs values where a fake tensor has none, or that cannot be built."""


class FakeModel:
    """A diffusers model built from its class and config alone, in `dtype`.

    `flags` are attributes to set on it, as `enable_tiling()` and the like do.
    Raises NotTraceable.
    """

    def __init__(
        self,
        kind: Any,
        config: Mapping[str, Any],
        dtype: torch.dtype,
        flags: Mapping[str, Any] | None = None,
    ) -> None:
        self._mode = FakeTensorMode(allow_non_fake_inputs=True)
        with _tracing(kind.__name__), self._mode:
            self.module: Any = kind.from_config(dict(config)).eval()
            _cast(self.module, dtype)
        for name, value in (flags or {}).items():
            setattr(self.module, name, value)

    @classmethod
    def like(cls, module: Any, dtype: torch.dtype | None = None) -> "FakeModel":
        """As `module`, which is loaded and not touched. `dtype`: that of its activations."""
        flags = {
            name: value
            for name, value in vars(module).items()
            if name in _FLAGS or name.startswith("tile_")
        }
        return cls(_plain_class(module), module.config, dtype or module.dtype, flags)

    def row_memory(
        self,
        arguments: Mapping[str, Any],
        rows: int,
        method: str = "forward",
        listed: Collection[str] = (),
    ) -> RowMemory:
        """Found by tracing the call at two row counts; takes a second, a large model a few.

        `arguments` are those of one call of `method` with `rows` rows; see
        `with_rows` for which of them are taken to be batched. Raises NotTraceable.
        """

        def peak(wanted: int) -> int:
            return self.peak_bytes(arguments, rows, wanted, method, listed)

        peak(_TRACED_ROWS[0])  # fills what models cache
        first, second = ((wanted, peak(wanted)) for wanted in _TRACED_ROWS)
        return RowMemory.through(first, second)

    def flops(
        self,
        arguments: Mapping[str, Any],
        rows: int,
        method: str = "forward",
        listed: Collection[str] = (),
    ) -> int:
        """Floating-point operations of that call with one row. Raises NotTraceable."""
        with _tracing(method), self._mode, torch.no_grad():
            call = with_rows(arguments, rows, 1, empty_rows, listed)
            with FlopCounterMode(display=False) as counter:
                getattr(self.module, method)(**call)
            return int(counter.get_total_flops())

    def peak_bytes(
        self,
        arguments: Mapping[str, Any],
        rows: int,
        wanted: int,
        method: str,
        listed: Collection[str] = (),
    ) -> int:
        """Of that call with `wanted` rows. Raises NotTraceable."""
        weights = (*self.module.parameters(), *self.module.buffers())
        with _tracing(method), self._mode, torch.no_grad(), LiveBytes(weights) as live:
            # Made in here, so that the inputs count: the hub joins them anew for each call.
            call = with_rows(arguments, rows, wanted, empty_rows, listed)
            outputs = getattr(self.module, method)(**call)
            del call, outputs
            peak: int = live.peak_bytes
            return peak


def _plain_class(module: Any) -> Any:
    """The model's own class, not the one that quantisation or a hook put over it."""
    return next(kind for kind in type(module).__mro__ if kind.__module__.startswith("diffusers"))


def _cast(module: Any, dtype: torch.dtype) -> None:
    """As diffusers loads weights in `dtype`: some models keep some of theirs in float32.

    Module.to cannot: it swaps tensors in place, which fake ones do not bear.
    """
    kept = set(module._keep_in_fp32_modules or ())
    for path, part in module.named_modules():
        tensors = part._parameters | {
            name: buffer
            for name, buffer in part._buffers.items()
            if name not in part._non_persistent_buffers_set
        }
        for name, tensor in tensors.items():
            if tensor is not None and tensor.is_floating_point():
                wanted = torch.float32 if kept & {*path.split("."), name} else dtype
                _put(part, name, tensor.detach().to(wanted))


def _put(part: nn.Module, name: str, tensor: Tensor) -> None:
    if name in part._parameters:
        part._parameters[name] = nn.Parameter(tensor, requires_grad=False)
    else:
        part._buffers[name] = tensor


@contextmanager
def _tracing(what: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # a model's own code may fail in any way
        raise NotTraceable(f"{what}: {type(error).__name__}: {error}") from error
