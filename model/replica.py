"""Data-parallel training in processes of one thread each, over gloo.

Two processes of one thread outrun one process of two threads on shared cores: OpenMP threads wait
for each other after every small operation, replicas only once a step.
"""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.multiprocessing.spawn import spawn


def run_replicas(work: Callable[..., None], count: int, *args: Any) -> None:
    """Call `work(rank, *args)` in `count` processes that can average gradients; wait for all."""
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        start: Any = spawn
        start(_join, (work, count, f"file://{store}", args), nprocs=count)


def _join(
    rank: int, work: Callable[..., None], count: int, store: str, args: tuple[Any, ...]
) -> None:
    """Join the process group, one thread a process, and work."""
    torch.set_num_threads(1)
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=count)
    try:
        work(rank, *args)
    finally:
        distributed.destroy_process_group()


def average_gradients(model: nn.Module, *numbers: float) -> tuple[float, ...]:
    """Average all gradients, and `numbers`, over the replicas; return the averaged numbers.

    Replicas stay bit-identical only if their learning rates do, so a clock must be averaged too.
    """
    if not distributed.is_initialized():
        return numbers
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    flat = torch.cat([*(g.flatten() for g in gradients), torch.tensor(numbers)])
    distributed.all_reduce(flat)
    flat /= distributed.get_world_size()
    _write_back(flat, gradients)
    return tuple(flat[len(flat) - len(numbers) :].tolist())


def _write_back(flat: Tensor, gradients: list[Tensor]) -> None:
    """Cut `flat` into pieces shaped like `gradients` and copy them in."""
    start = 0
    for gradient in gradients:
        piece = flat[start : start + gradient.numel()]
        gradient.copy_(piece.view_as(gradient))
        start += gradient.numel()
