"""The row policy of a real worker: what fits the device's memory, and of that what pays."""

from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from math import inf

import structlog
import torch

from workers.batching.policy import Pass
from workers.error import short
from workers.memory.curve import ThroughputCurve
from workers.memory.fake import FakeModel
from workers.memory.free_memory import free_bytes, measured_growth
from workers.memory.row_limit import RowLimit
from workers.memory.row_memory import RowMemory

# On a CPU a model this small cannot fill the machine; tracing it would only disturb it.
_WORTH_TRACING_BYTES = 64 * 2**20

_SHAPES = 1024
_UNKNOWN = RowMemory(0, 0)  # bounded by running out of it, then

_log = structlog.get_logger(__name__)


class LearnedRows:
    """A throughput curve and a memory limit for each shape.

    A new shape is traced on a thread of its own, without touching the device; until
    that is done an accelerator runs one request at a time. Its allocator then says
    what each row count really takes, the first time it runs. `free` is asked for the
    device's free bytes.
    """

    def __init__(self, device: torch.device, free: Callable[[], int | None] | None = None) -> None:
        self._device = device
        self._free = free or partial(free_bytes, device)
        self._curve = ThroughputCurve()
        self._met: dict[Hashable, None] = {}
        # Of shapes that were traced, or too much; written by the engine's thread and the tracer's.
        self._limits: dict[Hashable, RowLimit] = {}
        self._measured: set[tuple[Hashable, int]] = set()
        self._tracer = ThreadPoolExecutor(1, "row-memory")

    def best_rows(self, shape: Hashable, available: int, unit: int) -> int:
        fitting = min(available, self._fitting(shape))
        return self._curve.best_rows(shape, int(max(unit, fitting)), unit)

    def most_rows(self, shape: Hashable) -> float:
        limit = self._limits.get(shape)
        # Only what was too much: one request's rows run together where the forecast is wary.
        return inf if limit is None or limit.cap is None else limit.cap

    @contextmanager
    def watch(self, about: Pass) -> Iterator[None]:
        if about.shape not in self._met:
            self._meet(about)
        count = (about.shape, about.rows)
        if count in self._measured:
            yield
            return
        with measured_growth(self._device) as growth:
            yield
        limit = self._limits.get(about.shape)
        if limit and growth.peak_bytes is not None:
            limit.observe(about.rows, growth.peak_bytes)
            self._measured.add(count)

    def observe(self, shape: Hashable, rows: int, seconds: float) -> None:
        self._curve.observe(shape, rows, seconds)
        if limit := self._limits.get(shape):
            limit.went_well(rows)

    def out_of_memory(self, shape: Hashable, rows: int) -> None:
        self._limit(shape).out_of_memory(rows)

    def close(self) -> None:
        """Let a tracing that has begun end; begin no other."""
        self._tracer.shutdown(wait=False, cancel_futures=True)

    def _fitting(self, shape: Hashable) -> float:
        if limit := self._limits.get(shape):
            return limit.max_rows()
        return inf if self._device.type == "cpu" else 1

    def _meet(self, about: Pass) -> None:
        if len(self._met) >= _SHAPES:
            oldest = next(iter(self._met))
            del self._met[oldest]
            self._limits.pop(oldest, None)
            self._measured = {count for count in self._measured if count[0] != oldest}
        self._met[about.shape] = None
        weights = sum(each.nbytes for each in about.module.parameters())
        if self._device.type != "cpu" or weights >= _WORTH_TRACING_BYTES:
            self._tracer.submit(self._trace, about)

    def _trace(self, about: Pass) -> None:
        try:
            fake = FakeModel.like(about.module)
            memory = fake.row_memory(about.arguments, about.rows, about.method, about.listed)
        except Exception as error:  # else the shape would run one request at a time for good
            _log.warning("row_memory_unknown", why=short(error))
            memory = _UNKNOWN
        self._limit(about.shape, memory)

    def _limit(self, shape: Hashable, memory: RowMemory = _UNKNOWN) -> RowLimit:
        """The one of that shape, which learns of `memory` if it did not know."""
        limit = self._limits.setdefault(shape, RowLimit(memory, self._free))
        if limit.memory == _UNKNOWN:
            limit.memory = memory
        return limit
