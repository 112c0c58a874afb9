"""A training run's time budget: how far it is, and the learning rate that goes with it."""

import math
import time


class Budget:
    """Counts the seconds a run has trained, over restarts, against the seconds it may."""

    def __init__(self, total_s: float, spent_s: float = 0.0) -> None:
        self.total_s = total_s
        self._start_s = time.monotonic() - spent_s

    @property
    def spent_s(self) -> float:
        """Seconds trained so far."""
        return time.monotonic() - self._start_s

    @property
    def progress(self) -> float:
        """Part of the budget that is spent, 0..1."""
        return min(1.0, self.spent_s / self.total_s)

    @property
    def is_over(self) -> bool:
        """Whether the budget is spent."""
        return self.progress >= 1

    def lr(self, peak: float, warmup: float = 0.02, decay_from: float = 0.4) -> float:
        """The learning rate now; see `learning_rate`."""
        return learning_rate(self.progress, peak, warmup, decay_from)


def learning_rate(
    progress: float, peak: float, warmup: float = 0.02, decay_from: float = 0.4
) -> float:
    """Warm up, stay at `peak`, then a half cosine to 2 % of it from `decay_from` onwards."""
    if progress < warmup:
        return peak * (0.05 + 0.95 * progress / warmup)
    if progress < decay_from:
        return peak
    part = (progress - decay_from) / (1 - decay_from)
    return peak * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * part)))
