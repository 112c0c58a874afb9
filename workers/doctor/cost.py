"""What the stages of one model cost here: really run, within a budget of seconds."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

from myriad.errors import ConfigError
from myriad.job import Stage
from myriad.pool import Pool
from workers.device import Device
from workers.doctor.fit import OpenedPools
from workers.doctor.machine import usable_cores
from workers.doctor.models import LocalModel, Size
from workers.doctor.report import Cost, CostReport, DeviceReport
from workers.doctor.timing import Bench, Budget
from workers.downloads import Downloads
from workers.error import short
from workers.loaded import LoadedModel
from workers.loading import plan
from workers.memory.arguments import repeated_rows, with_rows
from workers.memory.example import EXAMPLE_ROWS, Example
from workers.memory.fake import NotTraceable
from workers.options.registry import apply_options
from workers.tiny_vae import load_tiny_vae

ROWS: Final = (1, 2, 4, 8)
_WARM_CALLS: Final = 2  # one that warms up and one that counts
# Of a plain matrix product's speed, what a model reaches at the least, before it was measured.
_FIRST_GUESS: Final = 0.2
_PROMPT: Final = "a red cat on a green hill, in the style of an old map"


def measure(
    local: LocalModel,
    size: Size,
    pools: OpenedPools,
    devices: Sequence[DeviceReport],
    budget_s: float,
) -> CostReport:
    """Each stage in the first pool that serves it here.

    A CPU's denoising is timed with the pool's threads, with one and with all cores.
    """
    costs: list[Cost] = []
    notes: list[str] = []
    budget = Budget(budget_s)
    for pool, device, stages in _shared_out(local, pools):
        gflops = _report_of(device, devices).gflops(pool.precision)
        bench = Bench(local, size, pool, device, pool.threads, budget, gflops)
        try:
            costs += _run(bench, stages)
        except Exception as error:  # a model's own code and files may fail in any way
            notes.append(f"pool {pool.name}: {short(error)}")
    return CostReport(local.model.name, size.width, size.height, tuple(costs), tuple(notes))


def _shared_out(
    local: LocalModel, pools: OpenedPools
) -> Iterator[tuple[Pool, Device, tuple[Stage, ...]]]:
    """The pools that will be measured, with the stages that each is measured for."""
    taken: set[Stage] = set()
    for pool, device in pools:
        if isinstance(device, ConfigError):
            continue
        stages = tuple(
            stage for stage in Stage if stage not in taken and pool.serves(stage, local.model.name)
        )
        taken.update(stages)
        if stages:
            yield pool, device, stages


def _run(bench: Bench, stages: tuple[Stage, ...]) -> list[Cost]:
    loaded = Downloads().supply(lambda: _load(bench, stages))
    pipe = loaded.pipe
    costs: list[Cost] = []
    is_cpu = bench.device.torch_device.type == "cpu"
    before = torch.get_num_threads()
    try:
        with torch.no_grad():
            torch.set_num_threads(bench.threads)
            if Stage.ENCODE in stages:
                costs.append(_encode(bench, pipe))
            if Stage.DENOISE in stages:
                costs += _calls(bench, pipe, Stage.DENOISE, ROWS)
            if Stage.DECODE in stages:
                costs += _calls(bench, loaded.decoding_pipe, Stage.DECODE, ROWS[:1])
            if Stage.DENOISE in stages and is_cpu:
                costs += _other_threads(bench, pipe)
    finally:
        torch.set_num_threads(before)
    return costs


def _load(bench: Bench, stages: tuple[Stage, ...]) -> LoadedModel:
    """As a worker of that pool loads it."""
    model, pool, device = bench.local.model, bench.pool, bench.device

    def settle_in(loaded: LoadedModel) -> None:
        apply_options(loaded.family, loaded.pipe, pool, device, model.name)

    loaded = plan(model, stages, pool, device, settle_in).load()
    if pool.tiny_vae and Stage.DECODE in stages:
        loaded.tiny_vae = load_tiny_vae(model, device)
    return loaded


def _other_threads(bench: Bench, pipe: Any) -> Iterator[Cost]:
    for threads in sorted({1, usable_cores()} - {bench.threads}):
        torch.set_num_threads(threads)
        yield from _calls(replace(bench, threads=threads), pipe, Stage.DENOISE, ROWS)


def _encode(bench: Bench, pipe: Any) -> Cost:
    if not hasattr(pipe, "encode_prompt"):
        raise NotTraceable(f"a {type(pipe).__name__} has blocks of its own, which are not measured")
    known = inspect.signature(pipe.encode_prompt).parameters
    asked = {
        "prompt": _PROMPT,
        "device": bench.device.torch_device,
        "num_images_per_prompt": 1,
        "do_classifier_free_guidance": True,
    }
    given: dict[str, Any] = {
        name: asked.get(name)
        for name, each in known.items()
        if name in asked or each.default is inspect.Parameter.empty
    }
    return bench.cost(Stage.ENCODE, 1, bench.time(lambda: pipe.encode_prompt(**given)))


def _calls(bench: Bench, pipe: Any, stage: Stage, row_counts: Sequence[int]) -> Iterator[Cost]:
    """Timed while the budget lasts, estimated after that."""
    size, seconds = _one_row(bench, pipe, stage)
    is_estimate = size != bench.size
    yield bench.cost(stage, 1, seconds, is_estimate=is_estimate)
    example = bench.local.example(stage, bench.size, bench.setting)
    for rows in row_counts[1:]:
        expected = seconds / row_counts[0] * rows
        if is_estimate or not bench.budget.allows(_WARM_CALLS * expected):
            yield bench.cost(stage, rows, expected, is_estimate=True)
        else:
            yield bench.cost(stage, rows, bench.time(_call(bench, pipe, example, rows)))


def _one_row(bench: Bench, pipe: Any, stage: Stage) -> tuple[Size, float]:
    """The size that could be timed, and what it says about one row at the bench's own size."""
    flops = bench.local.example(stage, bench.size, bench.setting).flops()
    for size in _smaller(bench.size, bench.local.model.limits.size_multiple):
        example = bench.local.example(stage, size, bench.setting)
        share = example.flops() / flops
        guess = share * flops / (bench.gflops * 1e9 * _FIRST_GUESS)
        if bench.budget.allows(_WARM_CALLS * guess):
            return size, bench.time(_call(bench, pipe, example, 1)) / share
    return size, guess / share


def _smaller(size: Size, multiple: int) -> Iterator[Size]:
    """That size, then a half and a quarter of its sides."""
    for divisor in (1, 2, 4):
        width, height = (max(multiple, side // divisor // multiple * multiple) for side in size[:2])
        yield size._replace(width=width, height=height)


def _call(bench: Bench, pipe: Any, example: Example, rows: int) -> Callable[[], object]:
    arguments = with_rows(example.arguments, EXAMPLE_ROWS, rows, repeated_rows, example.listed)
    placed = tree_map_only(Tensor, lambda each: each.to(bench.device.torch_device), arguments)
    method = getattr(getattr(pipe, example.part), example.method)
    return lambda: method(**placed, return_dict=False)


def _report_of(device: Device, devices: Sequence[DeviceReport]) -> DeviceReport:
    """What was found out about the pool's device; "cuda" is the first of its kind."""
    name = str(device.torch_device)
    return next(each for each in devices if each.name.startswith(name))
