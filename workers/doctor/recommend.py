"""A `pools.toml` for this machine, from what was found and measured."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from pydantic import ByteSize

from myriad.job import Stage
from myriad.pool import Pool, Precision
from workers.doctor.report import CostReport, DeviceReport, ModelReport

_CPU_SHARE: Final = 0.5  # of free memory, for weights; the rest is for calls and for others
_ACCELERATOR_SHARE: Final = 0.6
_MORE_THREADS: Final = 1.1  # what a second thread must gain to be worth having
_ALL: Final = tuple(Stage)


def recommend(
    devices: Sequence[DeviceReport], models: Sequence[ModelReport], costs: CostReport | None
) -> str:
    """Text of a `pools.toml` that serves every stage.

    How many rows share a forward pass is left to the workers, which learn it shape by shape.
    """
    *accelerators, cpu = devices
    if not accelerators:
        return _text([(_cpu_pool(cpu, _ALL, costs), "One process serves every stage.")])
    return _text(_with_accelerators(accelerators, cpu, models))


def _with_accelerators(
    accelerators: Sequence[DeviceReport],
    cpu: DeviceReport,
    models: Sequence[ModelReport],
) -> Iterator[tuple[Pool, str]]:
    # One pool for all: each of its workers takes the next device of the machine.
    room = min(_budget(device, _ACCELERATOR_SHARE) for device in accelerators)
    precision = _precision(accelerators[0])
    is_roomy = all(_weights(model, precision, _ALL) <= room for model in models)
    stages = _ALL if is_roomy else (Stage.DENOISE, Stage.DECODE)
    why = "Every stage has room here." if is_roomy else "Text encoders would take its memory."
    yield (
        Pool(
            name="gpu",
            stages=stages,
            device=accelerators[0].name.partition(":")[0],
            precision=precision,
            memory=ByteSize(room),
            workers=len(accelerators),
            concurrency=16,
        ),
        why,
    )
    if not is_roomy:
        yield _text_pool(cpu, models), "Reads the prompts."


def _text_pool(cpu: DeviceReport, models: Sequence[ModelReport]) -> Pool:
    """In half the memory where the largest text encoder has no room in fp32."""
    room = _budget(cpu, _CPU_SHARE)
    largest = max((_weights(model, "fp32", (Stage.ENCODE,)) for model in models), default=0)
    is_halved = largest > room and cpu.works("bf16")
    return _cpu_pool(cpu, (Stage.ENCODE,), None, "bf16" if is_halved else "fp32")


def _cpu_pool(
    cpu: DeviceReport,
    stages: tuple[Stage, ...],
    costs: CostReport | None,
    precision: Precision = "fp32",
) -> Pool:
    return Pool(
        name="all" if stages == _ALL else "cpu",
        stages=stages,
        device="cpu",
        precision=precision,
        channels_last=True,
        linear="auto",
        memory=ByteSize(_budget(cpu, _CPU_SHARE)),
        concurrency=8,
        threads=_threads(costs, cpu),
    )


def _precision(device: DeviceReport) -> Any:
    return next(name for name in ("bf16", "fp16", "fp32") if device.works(name))


def _budget(device: DeviceReport, share: float) -> int:
    """Whole GiB where there is more than one."""
    size = int(device.free_bytes * share)
    return size // 2**30 * 2**30 or size


def _weights(model: ModelReport, precision: str, stages: Sequence[Stage]) -> int:
    return sum(model.weights_bytes.get(stage.value, {}).get(precision, 0) for stage in stages)


def _threads(costs: CostReport | None, cpu: DeviceReport) -> int:
    """One, unless more draw more rows a second."""
    rates: dict[int, float] = {}
    for cost in costs.of("denoise", device=cpu.name, is_estimate=False) if costs else ():
        rates[cost.threads] = max(rates.get(cost.threads, 0.0), cost.rows / cost.seconds)
    best = max(rates, key=lambda threads: rates[threads], default=1)
    return best if rates.get(best, 0) > _MORE_THREADS * rates.get(1, 0) else 1


def _text(pools: Sequence[tuple[Pool, str]] | Iterator[tuple[Pool, str]]) -> str:
    return "\n".join(_entry(pool, why) for pool, why in pools)


def _entry(pool: Pool, why: str) -> str:
    values = pool.model_dump(mode="json", exclude_unset=True)
    values["memory"] = _human(int(pool.memory))
    lines = [f"{name} = {json.dumps(value)}" for name, value in values.items()]
    return "\n".join([f"# {why}", "[[pool]]", *lines, ""])


def _human(size_bytes: int) -> str:
    gibibytes, rest = divmod(size_bytes, 2**30)
    return f"{gibibytes}GiB" if not rest else f"{size_bytes // 2**20}MiB"
