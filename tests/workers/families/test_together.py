"""Requests of a family share forward passes, and none can tell."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch

from myriad.job import Stage
from myriad.lease import Lease
from tests.workers.batching.test_sharing import held, wait_for_queue
from tests.workers.families.tiny import TINY
from tests.workers.families.tiny.model import INPUTS
from tests.workers.stage import FakeControl, MakeLease, MakeRunner, Parted
from workers import blob
from workers.runner import Runner

ROWS = 64


def mixed_leases(lease: MakeLease, family: str, **terms: Any) -> list[Lease]:
    asked = ({"num_inference_steps": 4, **each} for each in TINY[family].mixed)
    return [lease(family, **each, **terms) for each in asked]


def encode(parted: Parted, jobs: Sequence[Lease]) -> list[bytes]:
    return [parted[Stage.ENCODE].encode(job, INPUTS, FakeControl()) for job in jobs]


def denoise(runner: Runner, job: Lease, embeds: bytes) -> torch.Tensor:
    return blob.load(runner.denoise(job, embeds, FakeControl()))["latents"]


def denoise_together(
    runner: Runner, jobs: Sequence[Lease], embeds: Sequence[bytes]
) -> list[torch.Tensor]:
    """All at once: the engine is held until every request has been handed in."""
    with ThreadPoolExecutor(len(jobs)) as threads, held(runner):
        waiting = [
            threads.submit(denoise, runner, job, data)
            for job, data in zip(jobs, embeds, strict=True)
        ]
        wait_for_queue(runner, len(jobs))
    return [future.result() for future in waiting]


def test_a_mixed_batch_draws_what_each_draws_alone(
    family: str, lease: MakeLease, parted: Parted, open_runner: MakeRunner
) -> None:
    jobs = mixed_leases(lease, family)
    embeds = encode(parted, jobs)
    runner = open_runner(Stage.DENOISE, max_rows=ROWS)
    alone = [denoise(runner, job, data) for job, data in zip(jobs, embeds, strict=True)]
    forwards = runner.forwards
    together = denoise_together(runner, jobs, embeds)
    for job, one, other in zip(jobs, alone, together, strict=True):
        assert one.shape == other.shape
        assert (one - other).abs().max() < 1e-4 * one.abs().max(), job.params.prompt
    assert runner.forwards - forwards < 0.7 * forwards


def test_like_requests_share_every_forward(
    family: str, lease: MakeLease, parted: Parted, open_runner: MakeRunner
) -> None:
    runner = open_runner(Stage.DENOISE, max_rows=ROWS)
    jobs = [lease(family, seed=seed, num_inference_steps=5) for seed in range(6)]
    denoise_together(runner, jobs, encode(parted, jobs[:1]) * len(jobs))
    assert runner.forwards == 5 * TINY[family].forwards_a_step


def test_a_reproducible_request_has_the_same_bytes_in_company(
    family: str, lease: MakeLease, parted: Parted, open_runner: MakeRunner
) -> None:
    jobs = mixed_leases(lease, family, reproducible=True)
    # Another like the first, so that it has company whatever the family groups by.
    twin = {**TINY[family].mixed[0], "seed": 99, "num_inference_steps": 4}
    jobs.append(lease(family, reproducible=True, **twin))
    embeds = encode(parted, jobs)
    runner = open_runner(Stage.DENOISE, max_rows=ROWS)
    alone = [denoise(runner, job, data) for job, data in zip(jobs, embeds, strict=True)]
    forwards = runner.forwards
    together = denoise_together(runner, jobs, embeds)
    for job, one, other in zip(jobs, alone, together, strict=True):
        assert torch.equal(one, other), job.params.prompt
    assert runner.forwards - forwards < forwards
