"""What live workers report of themselves."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.metrics_core import Metric

from myriad.db.workers import WorkerRecord, live_workers
from myriad.farm import Farm

_WHO = ["pool", "worker"]
# Rows of one forward pass.
_ROWS = (1, 2, 4, 8, 16, 32, 64)


def workers(farm: Farm) -> Iterator[Metric]:
    """Slots, models, batches, memory of every worker that has reported lately."""
    live = live_workers(farm.db, within_s=farm.settings.lease_s)
    yield _slots(live)
    yield _models(live)
    yield from _batches(live)
    yield from _counts(live)
    yield from _memory(live)


def _slots(live: Iterable[WorkerRecord]) -> Metric:
    slots = GaugeMetricFamily(
        "myriad_worker_slots", "Slots of live workers.", labels=["pool", "device", "worker"]
    )
    for worker in live:
        slots.add_metric([worker.pool, worker.device, worker.name], worker.slots)
    return slots


def _models(live: Iterable[WorkerRecord]) -> Metric:
    held = GaugeMetricFamily(
        "myriad_model_resident_bytes",
        "Weights a worker holds, on its device, in host memory or ready on disk (0: unknown).",
        labels=[*_WHO, "model", "tier"],
    )
    for worker in live:
        sizes: defaultdict[tuple[str, str], int] = defaultdict(int)
        for model in worker.models:
            sizes[model.model, model.tier.value] += model.size_bytes
        for place, size_bytes in sizes.items():
            held.add_metric([worker.pool, worker.name, *place], size_bytes)
    return held


def _batches(live: Iterable[WorkerRecord]) -> Iterator[Metric]:
    labels = [*_WHO, "module"]
    rows = HistogramMetricFamily(
        "myriad_batch_rows", "Rows of each shared forward pass.", labels=labels
    )
    requests = CounterMetricFamily(
        "myriad_batch_requests", "Requests served, once for each pass.", labels=labels
    )
    for worker in live:
        for module, batching in worker.measured.batching.items():
            key = [worker.pool, worker.name, module]
            total = sum(number * count for number, count in batching.passes.items())
            rows.add_metric(key, _buckets(batching.passes), total)
            requests.add_metric(key, batching.requests)
    yield from (rows, requests)


def _buckets(passes: Mapping[int, int]) -> list[tuple[str, float]]:
    """Passes of at most so many rows, as Prometheus has it."""
    edges = (*_ROWS, float("inf"))
    lows = (0, *_ROWS)
    counts = (
        sum(count for rows, count in passes.items() if low < rows <= high)
        for low, high in zip(lows, edges, strict=True)
    )
    names = (*(f"{edge:.1f}" for edge in _ROWS), "+Inf")
    return list(zip(names, accumulate(counts), strict=True))


def _counts(live: Iterable[WorkerRecord]) -> Iterator[Metric]:
    checkpoints = CounterMetricFamily("myriad_checkpoints", "Checkpoints stored.", labels=_WHO)
    rungs = CounterMetricFamily(
        "myriad_out_of_memory",
        "Times memory ran out, by what was done about it.",
        labels=[*_WHO, "rung"],
    )
    for worker in live:
        checkpoints.add_metric([worker.pool, worker.name], worker.measured.checkpoints)
        for rung, count in worker.measured.rungs.items():
            rungs.add_metric([worker.pool, worker.name, rung], count)
    yield from (checkpoints, rungs)


def _memory(live: Iterable[WorkerRecord]) -> Iterator[Metric]:
    """A worker without a device's allocator has its process alone."""
    for name, field, text in (
        ("process", "process_bytes", "Resident memory of the worker's process."),
        ("device_allocated", "allocated_bytes", "Device memory that tensors take."),
        ("device_reserved", "reserved_bytes", "Device memory that torch holds."),
        ("device_total", "total_bytes", "Device memory there is."),
    ):
        family = GaugeMetricFamily(f"myriad_worker_{name}_bytes", text, labels=_WHO)
        for worker in live:
            size_bytes: int | None = getattr(worker.measured.memory, field)
            if size_bytes is not None:
                family.add_metric([worker.pool, worker.name], size_bytes)
        yield family
