"""Fit one module on one thread for some minutes, keep its average, resume from its checkpoint."""

import logging
import random
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from model.budget import Budget
from model.denoiser import MovingAverage
from model.optimizer import MuonAdamW

log = logging.getLogger(__name__)
CHECKPOINT_S = 120
LOG_STEPS = 25


class Fit:
    """Trains a module's free weights against a loss that draws its batches by `rng`."""

    def __init__(
        self,
        module: nn.Module,
        loss: Callable[[], Tensor],
        path: Path,
        rng: random.Random,
        ema_decay: float = 0.99,
    ) -> None:
        self.module = module
        self.loss = loss
        self.path = path
        self.rng = rng
        self.optimizer = MuonAdamW(module, lr=0.0)
        self.average = MovingAverage(module, ema_decay)
        self.step, self.spent_s = 0, 0.0
        if path.exists():
            self._resume()

    def train(self, minutes: float, lr: float) -> None:
        """Train until `minutes` are spent, over restarts, then give the module its average."""
        torch.set_num_threads(1)
        torch.manual_seed(200 + self.step)
        self.rng.seed(f"{self.path.stem} {self.step}")  # a resumed run draws other batches
        budget = Budget(minutes * 60, self.spent_s)
        mean_loss, first = 0.0, self.step
        while not budget.is_over:
            loss = self.loss()
            torch.autograd.backward(loss)
            self.optimizer.step(budget.lr(lr))
            self.step += 1
            self.average.update(self.module, self.step)
            mean_loss += (loss.item() - mean_loss) / min(self.step - first, 50)
            if self.step % LOG_STEPS == 0:
                log.info("%.0f s step %d loss %.4f", budget.spent_s, self.step, mean_loss)
            if budget.spent_s - self.spent_s > CHECKPOINT_S or budget.is_over:
                self.spent_s = budget.spent_s
                self.save()
        self.module.load_state_dict(self.average.weights, strict=False)

    def save(self) -> None:
        """Replace the checkpoint in one move."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        state = {
            "weights": self._free_weights(),
            "average": self.average.weights,
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "spent_s": self.spent_s,
        }
        partial = self.path.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(self.path)

    def _free_weights(self) -> dict[str, Tensor]:
        return {n: p.detach() for n, p in self.module.named_parameters() if p.requires_grad}

    def _resume(self) -> None:
        """Load the checkpoint; the frozen weights are not in it."""
        state = torch.load(self.path)
        self.module.load_state_dict(state["weights"], strict=False)
        self.optimizer.load_state_dict(state["optimizer"])
        self.average.weights = state["average"]
        self.step, self.spent_s = state["step"], state["spent_s"]
