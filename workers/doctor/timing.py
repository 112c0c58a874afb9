"""How one call is timed, within a budget."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from myriad.job import Stage
from myriad.pool import Pool
from workers.device import Device
from workers.doctor.devices import wait_for
from workers.doctor.models import LocalModel, Setting, Size
from workers.doctor.report import Cost

_TRIES: Final = 3


class Budget:
    """Seconds that may still be spent on measuring."""

    def __init__(self, seconds: float) -> None:
        self._end = time.perf_counter() + seconds

    def allows(self, seconds: float) -> bool:
        return time.perf_counter() + seconds <= self._end


@dataclass(frozen=True)
class Bench:
    """Where one pool's calls of one model are timed."""

    local: LocalModel
    size: Size
    pool: Pool
    device: Device
    threads: int
    budget: Budget
    gflops: float

    @property
    def setting(self) -> Setting:
        return self.local.setting(self.pool, self.device)

    def cost(self, stage: Stage, rows: int, seconds: float, *, is_estimate: bool = False) -> Cost:
        return Cost(
            stage=stage.value,
            pool=self.pool.name,
            device=str(self.device.torch_device),
            precision=self.pool.precision,
            threads=self.threads,
            rows=rows,
            width=self.size.width,
            height=self.size.height,
            seconds=seconds,
            is_estimate=is_estimate,
        )

    def time(self, work: Callable[[], object]) -> float:
        """Seconds of the best of a few calls, the first not counted; one if it is long."""
        taken = []
        for _ in range(_TRIES + 1):
            start = time.perf_counter()
            work()
            wait_for(self.device.torch_device)
            taken.append(time.perf_counter() - start)
            if not self.budget.allows(taken[-1] * _TRIES):
                break
        return min(taken[1:] or taken)
