"""Climbing the settings one by one: a rung that is not faster, or not the same maths, is undone."""

import copy
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from bench.gpu.clock import Budget, Clock
from bench.gpu.graph import GraphedForward
from bench.gpu.setting import Setting

STOCK = "stock"
_TIMING_S = 2.0
_WORTH = 0.995
_ROUNDING = 1.25
"""A setting may be this much further from float32 than stock bf16 is, and still be rounding."""


@dataclass(frozen=True)
class Rung:
    """One setting tried: seconds of a forward, and distances of its output.

    Distances are relative (norm of the difference over norm of the reference), but
    `max_vs_stock`: the largest difference, over the largest value of stock's output.
    """

    name: str
    forward_s: float | None
    vs_fp32: float | None
    vs_stock: float | None
    max_vs_stock: float | None
    is_kept: bool
    note: str = ""


class Ladder:
    """Tries settings on one module; `call(module)` is the forward that is timed and compared.

    With `is_graphed` the timed forward is a CUDA graph's replay: what the device needs,
    however slow the host is at launching.
    """

    def __init__(
        self,
        module: nn.Module,
        call: Callable[[nn.Module], Tensor],
        clock: Clock,
        is_graphed: bool,
    ) -> None:
        self._module, self._call, self._clock = module, call, clock
        self._is_graphed = is_graphed and clock.is_cuda
        self._exact = exact(module, call)
        self._stock = call(module)
        self._rounding = distance(self._stock, self._exact)
        self.rungs = [self._stand(STOCK)]

    def climb(self, settings: Sequence[Setting], kept: ExitStack, budget: Budget) -> None:
        """Try each while time is left; what is kept is undone when `kept` closes."""
        best_s = self.rungs[0].forward_s or float("inf")
        for setting in settings:
            if budget.left_s <= 0:
                self._note(setting, "no time left")
                continue
            undo = None
            try:
                undo = setting.apply(self._module)
                rung = self._stand(setting.name, best_s)
            except RuntimeError as error:  # out of memory, not supported here, not compilable
                self._note(setting, f"{type(error).__name__}: {str(error).splitlines()[0]}")
                if undo:
                    undo()
                continue
            self.rungs.append(rung)
            if rung.is_kept and rung.forward_s:
                best_s = rung.forward_s
                kept.callback(undo)
            else:
                undo()

    @property
    def kept(self) -> list[str]:
        """Names of the settings in force."""
        return [rung.name for rung in self.rungs[1:] if rung.is_kept]

    def _stand(self, name: str, best_s: float = float("inf")) -> Rung:
        output = self._call(self._module)
        vs_fp32 = distance(output, self._exact)
        forward_s = self._forward_s()
        is_same = vs_fp32 <= self._rounding * _ROUNDING
        return Rung(
            name=name,
            forward_s=forward_s,
            vs_fp32=vs_fp32,
            vs_stock=distance(output, self._stock),
            max_vs_stock=largest(output, self._stock),
            is_kept=is_same and forward_s < best_s * _WORTH,
            note="" if is_same else "not the same maths",
        )

    def _forward_s(self) -> float:
        """Seconds of one forward, compiled and warm."""
        if not self._is_graphed:
            self._call(self._module)
            return self._clock.median(self._run, _TIMING_S).median_s
        real: Any = self._module.forward
        self._module.forward = GraphedForward(real, self._clock.device)
        try:
            self._run()
            return self._clock.median(self._run, _TIMING_S).median_s
        finally:
            self._module.forward = real

    def _run(self) -> None:
        self._call(self._module)

    def _note(self, setting: Setting, note: str) -> None:
        self.rungs.append(Rung(setting.name, None, None, None, None, is_kept=False, note=note))


def exact(module: nn.Module, call: Callable[[nn.Module], Tensor]) -> Tensor:
    """The same weights' output in float32 throughout, without TF32."""
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        return call(copy.deepcopy(module).float())


def largest(one: Tensor, other: Tensor) -> float:
    """The largest difference of any value over the largest value of `other`."""
    return float((one.float() - other.float()).abs().max() / other.float().abs().max())


def distance(one: Tensor, other: Tensor) -> float:
    """Norm of the difference over the norm of `other`; nan if either is not finite."""
    return float((one.float() - other.float()).norm() / other.float().norm())
