"""The denoiser: a small conditional UNet, trained on cached latents and fresh captions."""

import logging
import math
import random
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer

from model.budget import Budget, learning_rate
from model.caption import LANGUAGES, phrase, unconditional
from model.description import describe
from model.latents import LatentCache
from model.optimizer import MuonAdamW
from model.parts import Scheduler, Unet, diffusers
from model.replica import average_gradients, run_replicas
from model.scene import Scene
from model.text_encoder import token_ids

log = logging.getLogger(__name__)
PEAK_LR = 2e-3
BATCH = 40
REPLICAS = 2
CHECKPOINT_S = 150
REFRESH_STEPS = 100
UNCONDITIONAL_SHARE = 0.12
EMA_DECAY = 0.998
#: The noise schedule, shared with the pipeline's scheduler.
SCHEDULE = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "prediction_type": "v_prediction",
    "num_train_timesteps": 1000,
}


def build_unet() -> Unet:
    """The UNet on 4 latent channels, conditioned on 128-wide text states."""
    return diffusers.UNet2DConditionModel(
        sample_size=16,
        block_out_channels=(64, 96, 96),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        norm_num_groups=16,
        cross_attention_dim=128,
        attention_head_dim=(4, 6, 6),
    )


@dataclass
class Conditioner:
    """Turns scenes into captions and captions into text states, with the encoder frozen."""

    tokenizer: CLIPTokenizer
    encoder: CLIPTextModel
    rng: random.Random

    def caption(self, scene: Scene) -> str:
        """A fresh caption, or now and then one that names nothing."""
        if self.rng.random() < UNCONDITIONAL_SHARE:
            return unconditional(self.rng)
        return phrase(describe(scene, self.rng), self.rng.choice(LANGUAGES), self.rng)

    @torch.no_grad()
    def encode(self, captions: list[str]) -> Tensor:
        """Text states (N, 77, 128)."""
        with torch.autocast("cpu", torch.bfloat16):
            states: Tensor = self.encoder(token_ids(self.tokenizer, captions)).last_hidden_state
        return states.float()


class MovingAverage:
    """An exponential moving average of a model's free weights, which warms up with the steps."""

    def __init__(self, model: nn.Module, decay: float = EMA_DECAY) -> None:
        self.weights = {
            name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad
        }
        self._decay = decay

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Move towards the model's weights; early steps move faster."""
        decay = min(self._decay, (1 + step) / (10 + step))
        names = list(self.weights)
        current = dict(model.named_parameters())
        torch._foreach_lerp_(
            [self.weights[n] for n in names], [current[n].detach() for n in names], 1 - decay
        )


def loss_of(unet: Unet, scheduler: Scheduler, latents: Tensor, states: Tensor) -> Tensor:
    """v-prediction error, weighted by the square root of the min-SNR-5 rule (arXiv 2303.09556).

    The plain rule all but ignores the noisiest steps, where the caption decides the most.
    """
    count = len(latents)
    strata = (torch.arange(count) + torch.rand(count)) / count
    timesteps = (strata * scheduler.config.num_train_timesteps).long()
    noise = torch.randn_like(latents)
    noisy = scheduler.add_noise(latents, noise, timesteps)
    target: Tensor = scheduler.get_velocity(latents, noise, timesteps)
    with torch.autocast("cpu", torch.bfloat16):
        guess: Tensor = unet(noisy, timesteps, states).sample.float()
    alpha: Tensor = scheduler.alphas_cumprod[timesteps]
    snr = alpha / (1 - alpha)
    weight = (snr.clamp(max=5) / (snr + 1)).sqrt()
    errors = (guess - target).square().mean((1, 2, 3))
    return (weight * errors).mean()


class DenoiserRun:
    """One replica's training run; rank 0 also keeps the average and writes checkpoints."""

    def __init__(self, rank: int, folder: Path, minutes: float) -> None:
        torch.manual_seed(100)  # replicas must start from the same weights
        self.rng = random.Random(f"denoiser {rank}")
        self.path = folder / "denoiser.pt"
        self.is_chief = rank == 0
        self.unet = build_unet()
        self.optimizer = MuonAdamW(self.unet, PEAK_LR)
        self.average = MovingAverage(self.unet)
        self.scheduler = diffusers.DDPMScheduler(**SCHEDULE)
        self.step, spent_s = 0, 0.0
        if self.path.exists():
            spent_s = self._resume(rank)
        self.budget = Budget(minutes * 60, spent_s)
        torch.manual_seed(101 + rank + 2 * self.step)
        tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
        encoder = CLIPTextModel.from_pretrained(folder / "text_encoder")
        self.conditioner = Conditioner(tokenizer, encoder, self.rng)
        self.cache = LatentCache(folder / "latents", self.rng)

    def train(self) -> None:
        """Train until the budget is spent."""
        saved_s, progress = self.budget.spent_s, self.budget.progress
        mean_loss = math.nan
        while progress < 1:
            scenes, latents = self.cache.batch(BATCH)
            states = self.conditioner.encode([self.conditioner.caption(s) for s in scenes])
            loss = loss_of(self.unet, self.scheduler, latents, states)
            torch.autograd.backward(loss)
            progress, value = average_gradients(self.unet, self.budget.progress, loss.item())
            self.optimizer.step(learning_rate(progress, PEAK_LR, decay_from=0.62))
            self.step += 1
            if self.step % REFRESH_STEPS == 0:
                self.cache.refresh()
            mean_loss = value if math.isnan(mean_loss) else mean_loss + 0.01 * (value - mean_loss)
            if not self.is_chief:
                continue
            self.average.update(self.unet, self.step)
            if self.step % 50 == 0:
                log.info("%.0f s step %d loss %.4f", self.budget.spent_s, self.step, mean_loss)
            if self.budget.spent_s - saved_s > CHECKPOINT_S or progress >= 1:
                saved_s = self.budget.spent_s
                self.save()

    def save(self) -> None:
        """Replace the checkpoint in one move."""
        state = {
            "unet": self.unet.state_dict(),
            "average": self.average.weights,
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "spent_s": self.budget.spent_s,
        }
        partial = self.path.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(self.path)

    def _resume(self, rank: int) -> float:
        """Load the checkpoint; return the seconds it took so far."""
        state = torch.load(self.path)
        self.unet.load_state_dict(state["unet"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average.weights = state["average"]
        self.step = state["step"]
        self.rng.seed(f"denoiser {rank} {self.step}")
        return float(state["spent_s"])


def _run(rank: int, folder: Path, minutes: float) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    DenoiserRun(rank, folder, minutes).train()


def train_denoiser(folder: Path, minutes: float) -> None:
    """Train on `folder`'s tokenizer, text encoder and latents until `minutes` are spent."""
    run_replicas(_run, REPLICAS, folder, minutes)
