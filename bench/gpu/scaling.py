"""What more rows in one forward cost: SD 1.5 at 512 x 512, 1 to 16 rows."""

from collections.abc import Collection, Sequence
from contextlib import ExitStack
from typing import Any

import torch

from bench.gpu.case import Case
from bench.gpu.clock import Budget, Clock
from bench.gpu.floor import forward_flops
from bench.gpu.graph import GraphedForward
from bench.gpu.measure import Compiler, clear
from bench.gpu.setting import denoiser_settings
from bench.gpu.subject import Subject
from bench.gpu.subjects import subject

USUAL = ("cudnn benchmark", "channels last", "fused qkv", "compile")
"""Settings used when no ladder has chosen any."""
_TIMING_S = 1.0


def scaling(
    case: Case,
    clock: Clock,
    tflops: float,
    compiler: Compiler,
    budget: Budget,
    rows: Sequence[int],
    names: Collection[str] = USUAL,
) -> list[dict[str, Any]]:
    """Seconds of one forward by its rows, stock and with the settings named."""
    clear()
    job, meta = subject(case, clock.device), subject(case, torch.device("meta"))
    with torch.no_grad(), ExitStack() as kept:
        found = [_stock(job, meta, clock, count, tflops) for count in rows]
        for setting in denoiser_settings(case.family, compiler.backend, compiler.mode):
            if setting.name in names:
                kept.callback(setting.apply(job.denoiser))
        if clock.is_cuda:
            job.denoiser.forward = GraphedForward(job.denoiser.forward, clock.device)
        for entry in found:
            if budget.left_s > 0:
                entry["fast_s"] = _forward_s(job, clock, entry["rows"])
                entry["speedup"] = entry["stock_s"] / entry["fast_s"]
    return found


def _stock(job: Subject, meta: Subject, clock: Clock, rows: int, tflops: float) -> dict[str, Any]:
    floor_s = forward_flops(meta, rows) / (tflops * 1e12)
    return {"rows": rows, "floor_s": floor_s, "stock_s": _forward_s(job, clock, rows)}


def _forward_s(job: Subject, clock: Clock, rows: int) -> float:
    positional, named = job.inputs(rows)
    for _ in range(2):  # the first compiles and captures
        job.denoiser(*positional, **named)
    return clock.median(lambda: job.denoiser(*positional, **named), _TIMING_S).median_s
