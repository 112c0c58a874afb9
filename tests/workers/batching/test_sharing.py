"""Requests of different kinds share forward passes, and none can tell."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from threading import Event
from typing import Any

import pytest
import torch

from myriad.errors import LeaseLost, NonFiniteOutput, StageFailed
from myriad.lease import Lease
from tests.processes import wait_until
from tests.workers.stage import FakeControl, MakeLease, MakeRunner
from workers import blob
from workers.conditions import Conditions
from workers.runner import Runner

STEPS = 6
MIXED = [
    {"prompt": "a red cat", "scheduler": "DDIM", "seed": 1},
    {"prompt": "a dog", "scheduler": "EulerDiscrete", "seed": 2, "guidance_scale": 3.0},
    {"prompt": "", "scheduler": "EulerAncestralDiscrete", "seed": 3, "num_inference_steps": 4},
    {"prompt": "blue", "scheduler": "DPMSolverMultistep", "seed": 4, "negative_prompt": "red"},
    {"prompt": "cat", "scheduler": "UniPCMultistep", "seed": 5, "guidance_scale": 0.0},
    {"prompt": "dog dog", "scheduler": "DDIM", "seed": 6, "num_images": 2},
]


def mixed_leases(lease: MakeLease, family: str) -> list[Lease]:
    return [lease(family, **{"num_inference_steps": STEPS, **asked}) for asked in MIXED]


def denoise(runner: Runner, job: Lease, control: FakeControl | None = None) -> torch.Tensor:
    embeds = runner.encode(job, {}, FakeControl())
    return blob.load(runner.denoise(job, embeds, control or FakeControl()))["latents"]


def denoise_together(runner: Runner, jobs: list[Lease]) -> list[torch.Tensor]:
    """All at once: the engine is held until every request has been handed in."""
    embeds = [runner.encode(job, {}, FakeControl()) for job in jobs]
    with ThreadPoolExecutor(len(jobs)) as threads, held(runner):
        waiting = [
            threads.submit(runner.denoise, job, blob_in, FakeControl())
            for job, blob_in in zip(jobs, embeds, strict=True)
        ]
        wait_for_queue(runner, len(jobs))
    return [blob.load(future.result())["latents"] for future in waiting]


def test_a_mixed_batch_draws_what_each_draws_alone(
    family: str, lease: MakeLease, open_runner: MakeRunner
) -> None:
    jobs = mixed_leases(lease, family)
    alone = [denoise(open_runner(), job) for job in jobs]
    together = denoise_together(open_runner(max_rows=64), jobs)
    for one, other in zip(alone, together, strict=True):
        assert one.shape == other.shape
        scale = one.abs().max()
        assert (one - other).abs().max() < 1e-4 * scale


def test_forwards_are_shared(family: str, lease: MakeLease, open_runner: MakeRunner) -> None:
    runner = open_runner(max_rows=64)
    jobs = [lease(family, prompt="a cat", seed=seed, num_inference_steps=5) for seed in range(6)]
    denoise(runner, jobs[0])
    before = runner.forwards
    denoise_together(runner, jobs)
    assert runner.forwards - before == 5


def test_alone_it_is_the_stock_pipeline_bit_for_bit(
    family: str, lease: MakeLease, open_runner: MakeRunner
) -> None:
    job = lease(family)
    assert torch.equal(denoise(open_runner(max_rows=64), job), denoise(open_runner(), job))


def test_a_stopped_request_leaves_its_neighbours_alone(
    lease: MakeLease, open_runner: MakeRunner
) -> None:
    runner, plain = open_runner(max_rows=64), open_runner()
    stopping, staying = lease("sd", seed=1), lease("sd", seed=2)
    embeds = runner.encode(staying, {}, FakeControl())
    control = FakeControl(stop_after=1)
    with ThreadPoolExecutor(2) as threads, held(runner):
        stopped = threads.submit(runner.denoise, stopping, embeds, control)
        stayed = threads.submit(runner.denoise, staying, embeds, FakeControl())
        wait_for_queue(runner, 2)
    with pytest.raises(LeaseLost):
        stopped.result()
    assert len(control.seen) == 1
    expected = denoise(plain, staying)
    got = blob.load(stayed.result())["latents"]
    assert (got - expected).abs().max() < 1e-4 * expected.abs().max()


def test_a_failing_batch_fails_only_who_is_to_blame(
    lease: MakeLease, open_runner: MakeRunner
) -> None:
    runner = open_runner(max_rows=64)
    good, bad = lease("sd", seed=1), lease("sd", seed=2)
    embeds = runner.encode(good, {}, FakeControl())
    spoil(runner)
    conditions = Conditions.load(embeds)
    spoilt = {name: _poison(tensor) for name, tensor in conditions.embeds.items()}
    poisoned = replace(conditions, embeds=spoilt).dump()
    with ThreadPoolExecutor(2) as threads, held(runner):
        fails = threads.submit(runner.denoise, bad, poisoned, FakeControl())
        works = threads.submit(runner.denoise, good, embeds, FakeControl())
        wait_for_queue(runner, 2)
    with pytest.raises((StageFailed, NonFiniteOutput)):
        fails.result()
    assert torch.isfinite(blob.load(works.result())["latents"]).all()


def spoil(runner: Runner) -> None:
    """Make the model refuse a batch with a poisoned row, as a broken kernel would."""

    def install() -> None:
        unet = runner._library.get("sd").pipe.unet

        def refuse(module: Any, args: Any, kwargs: Any) -> None:
            if kwargs["encoder_hidden_states"].abs().max() > 1e5:
                raise RuntimeError("poisoned row")

        unet.mid_block.register_forward_pre_hook(refuse, with_kwargs=True)

    runner._engine.run(install)


def _poison(tensor: torch.Tensor | None) -> torch.Tensor | None:
    return None if tensor is None else tensor * 1e9


@contextmanager
def held(runner: Runner) -> Iterator[None]:
    """The engine thread, kept busy until the block ends."""
    begun, release = Event(), Event()

    def wait() -> None:
        begun.set()
        release.wait()

    busy = runner._engine.submit(wait)
    begun.wait()
    try:
        yield
    finally:
        release.set()
        busy.result()


def wait_for_queue(runner: Runner, number: int) -> None:
    wait_until(lambda: runner._engine._submitted.qsize() >= number, what="all handed in")
