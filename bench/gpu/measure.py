"""One case: stock eager, every setting tried, and the whole job with those that were kept."""

import gc
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from bench.gpu.case import Case
from bench.gpu.clock import Budget, Clock
from bench.gpu.floor import job_flops
from bench.gpu.graph import GraphedForward
from bench.gpu.ladder import Ladder, distance, largest
from bench.gpu.setting import VAE_SETTINGS, denoiser_settings
from bench.gpu.subject import Subject
from bench.gpu.subjects import subject

_WARM_STEPS = 3
_DENOISE_S, _OTHER_S = 12.0, 2.0


@dataclass(frozen=True)
class Compiler:
    """How torch.compile is asked; `eager` traces without generating code."""

    backend: str = "inductor"
    mode: str | None = None


@dataclass(frozen=True)
class Stages:
    """Median seconds of the stages of one job, and the peak memory over all of them."""

    encode_s: float
    denoise_s: float
    decode_s: float
    repeats: int
    peak_bytes: int | None

    @property
    def total_s(self) -> float:
        return self.encode_s + self.denoise_s + self.decode_s


def measure(
    case: Case, clock: Clock, tflops: float, compiler: Compiler, budget: Budget
) -> dict[str, Any]:
    """All figures of one case; seconds, bytes, and shares of the floor."""
    clear()
    job = subject(case, clock.device)
    with torch.no_grad(), ExitStack() as kept:
        embeds = job.encode()
        stock, reference = stages(job, embeds, clock)
        eager_s = _forward_s(job, clock)
        denoiser, vae = _climb(job, reference, clock, compiler, kept, budget)
        _launch_at_once(job, kept)
        fast, latents = stages(job, embeds, clock)
    floor_s = job_flops(case) / (tflops * 1e12)
    return {
        "title": case.title,
        "aim": case.aim,
        "speedup": stock.total_s / fast.total_s,
        "floor_s": floor_s,
        "stock": _figures(stock, floor_s) | {"forward_s": eager_s},
        "fast": _figures(fast, floor_s) | {"settings": denoiser.kept, "vae_settings": vae.kept},
        "latents": {
            "vs_stock": distance(latents, reference),
            "max_vs_stock": largest(latents, reference),
        },
        "denoiser_rungs": [asdict(rung) for rung in denoiser.rungs],
        "vae_rungs": [asdict(rung) for rung in vae.rungs],
    }


def clear() -> None:
    """Forget the case before: its compiled programs and its memory."""
    torch.compiler.reset()
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def stages(job: Subject, embeds: dict[str, Tensor], clock: Clock) -> tuple[Stages, Tensor]:
    """Time a whole job as it stands, warm; returns its latents too."""
    steps = job.case.steps
    job.encode()
    job.decode(job.denoise(embeds, min(_WARM_STEPS, steps)))
    clock.reset_peak()
    encode = clock.median(job.encode, _OTHER_S)
    latents = torch.empty(0)

    def whole() -> None:
        nonlocal latents
        latents = job.denoise(embeds, steps)

    denoise = clock.median(whole, _DENOISE_S)
    decode = clock.median(lambda: job.decode(latents), _OTHER_S)
    if not latents.isfinite().all():
        raise RuntimeError(f"{job.case.name}: latents are not finite")
    found = Stages(
        encode.median_s,
        denoise.median_s,
        decode.median_s,
        denoise.repeats,
        clock.peak_bytes(),
    )
    return found, latents


def _forward_s(job: Subject, clock: Clock) -> float:
    """One forward as the host launches it, kernel by kernel."""
    positional, named = job.inputs(job.case.rows)
    return clock.median(lambda: job.denoiser(*positional, **named), _OTHER_S).median_s


def _climb(
    job: Subject, latents: Tensor, clock: Clock, compiler: Compiler, kept: ExitStack, budget: Budget
) -> tuple[Ladder, Ladder]:
    """The settings of denoiser and VAE, tried on the case's own shapes."""
    inputs = job.inputs(job.case.rows)

    def forward(module: nn.Module) -> Tensor:
        positional, named = _cast(inputs, module)
        output: Tensor = module(*positional, **named)[0]
        return output

    def decode(module: Any) -> Tensor:
        output: Tensor = module.decode(_cast(latents, module), return_dict=False)[0]
        return output

    # Both stand on the ground before either climbs: some settings are the whole process's.
    denoiser = Ladder(job.denoiser, forward, clock, job.case.is_graphed)
    vae = Ladder(job.vae, decode, clock, is_graphed=False)
    settings = denoiser_settings(job.case.family, compiler.backend, compiler.mode)
    denoiser.climb(settings, kept, budget)
    vae.climb(VAE_SETTINGS, kept, budget)
    return denoiser, vae


def _launch_at_once(job: Subject, kept: ExitStack) -> None:
    """Denoiser and decoder as CUDA graphs, where launching is what takes the time."""
    if not (job.case.is_graphed and job.device.type == "cuda"):
        return
    for module in (job.denoiser, job.pipe.vae.decoder):
        real = module.forward
        module.forward = GraphedForward(real, job.device)
        kept.callback(setattr, module, "forward", real)


def _cast(values: Any, module: Any) -> Any:
    """Floating-point tensors in the module's dtype."""
    return tree_map(
        lambda leaf: (
            leaf.to(module.dtype) if isinstance(leaf, Tensor) and leaf.is_floating_point() else leaf
        ),
        values,
    )


def _figures(found: Stages, floor_s: float) -> dict[str, Any]:
    return asdict(found) | {
        "total_s": found.total_s,
        "share_of_floor": floor_s / found.total_s,
    }
