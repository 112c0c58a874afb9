"""Requests with and without LoRAs and ControlNets at once: who shares, and that none can tell."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch

from myriad.catalog import Catalog
from myriad.lease import Lease
from tests.workers.adapters.asked import DEPTH, EDGES, KINDS, LINE, STYLE, denoise, named
from tests.workers.adapters.conftest import Fresh
from tests.workers.adapters.stock import INPUTS, MASK_DIGEST, PICTURE_DIGEST, call_stock
from tests.workers.batching.test_sharing import held, wait_for_queue
from tests.workers.stage import FakeControl, MakeLease
from workers import blob
from workers.runner import Runner

STEPS = 4
PLAIN: dict[str, Any] = {}
MIXED: list[dict[str, Any]] = [
    PLAIN,
    {"loras": [STYLE]},
    {"loras": [STYLE, LINE], "scheduler": "EulerDiscrete"},
    {"loras": [{**STYLE, "scale": 0.4}]},
    {"controlnets": [EDGES]},
    {"controlnets": [EDGES, DEPTH], "scheduler": "EulerAncestralDiscrete"},
    KINDS["image and lora"],
    {**KINDS["image and controlnet"], "loras": [STYLE]},
    {"image": PICTURE_DIGEST, "mask": MASK_DIGEST},
]


def denoise_together(runner: Runner, jobs: list[Lease]) -> list[torch.Tensor]:
    """All at once: the engine is held until every request has been handed in."""
    embeds = [runner.encode(job, INPUTS, FakeControl()) for job in jobs]
    with ThreadPoolExecutor(len(jobs)) as threads, held(runner):
        waiting = [
            threads.submit(runner.denoise, job, blob_in, FakeControl())
            for job, blob_in in zip(jobs, embeds, strict=True)
        ]
        wait_for_queue(runner, len(jobs))
    return [blob.load(future.result())["latents"] for future in waiting]


def leases(lease: MakeLease, family: str, kinds: list[dict[str, Any]]) -> list[Lease]:
    return [
        lease(family, num_inference_steps=STEPS, **{"seed": seed, **named(family, asked)})
        for seed, asked in enumerate(kinds)
    ]


def test_a_mixed_batch_draws_what_each_draws_alone(
    shared_runner: Runner, adapted_lease: MakeLease, family: str
) -> None:
    jobs = leases(adapted_lease, family, MIXED)
    alone = [denoise(shared_runner, job) for job in jobs]
    together = denoise_together(shared_runner, jobs)
    for one, other in zip(alone, together, strict=True):
        assert (one - other).abs().max() < 1e-4 * one.abs().max()


@pytest.mark.parametrize(
    ("kinds", "forwards"),
    [
        ([{"loras": [STYLE]}, {"loras": [STYLE]}], 1),
        ([{"loras": [STYLE, LINE]}, {"loras": [LINE, STYLE]}], 1),
        ([{"loras": [STYLE]}, KINDS["image and lora"] | {"loras": [STYLE], "strength": 1.0}], 1),
        ([PLAIN, {"loras": [STYLE]}], 2),
        ([{"loras": [STYLE]}, {"loras": [{**STYLE, "scale": 0.4}]}], 2),
        ([{"loras": [STYLE]}, {"loras": [STYLE, LINE]}, PLAIN, PLAIN], 3),
        ([PLAIN, {"loras": [{"name": "words"}]}], 1),
        ([{"controlnets": [EDGES]}, {"controlnets": [{**EDGES, "scale": 0.2}]}], 2),
        ([PLAIN, {"controlnets": [EDGES]}, PLAIN], 2),
        ([PLAIN, {"controlnets": [EDGES, DEPTH]}, {"controlnets": [EDGES]}], 3),
        ([PLAIN, {"image": PICTURE_DIGEST, "mask": MASK_DIGEST, "controlnets": [DEPTH]}], 2),
    ],
)
def test_who_shares(
    shared_runner: Runner,
    adapted_lease: MakeLease,
    kinds: list[dict[str, Any]],
    forwards: int,
) -> None:
    """Forward passes a step, of the denoiser and of every ControlNet together."""
    jobs = leases(adapted_lease, "sd", kinds)
    before = shared_runner.forwards
    denoise_together(shared_runner, jobs)
    assert (shared_runner.forwards - before) / STEPS == forwards


def test_a_controlnet_is_shared_by_those_who_wear_different_loras(
    shared_runner: Runner, adapted_lease: MakeLease
) -> None:
    kinds = [{"controlnets": [EDGES]}, {"controlnets": [EDGES], "loras": [STYLE]}]
    before = shared_runner.forwards
    denoise_together(shared_runner, leases(adapted_lease, "sd", kinds))
    assert 3 * STEPS <= shared_runner.forwards - before < 4 * STEPS


def test_beside_loras_a_plain_request_is_bit_for_bit_what_it_ever_was(
    adapted: Catalog, shared_runner: Runner, adapted_lease: MakeLease, fresh: Fresh, family: str
) -> None:
    kinds = [PLAIN, {"loras": [STYLE]}, {"loras": [STYLE, LINE]}]
    jobs = leases(adapted_lease, family, kinds)
    for job, latents in zip(jobs, denoise_together(shared_runner, jobs), strict=True):
        assert torch.equal(latents, call_stock(fresh(family), adapted, job))


@pytest.mark.parametrize("asked", [{"loras": [STYLE]}, {"controlnets": [EDGES, DEPTH]}], ids=str)
def test_a_reproducible_request_is_the_same_whatever_its_neighbours(
    shared_runner: Runner, adapted_lease: MakeLease, family: str, asked: dict[str, Any]
) -> None:
    reproducible = {"reproducible": True}
    kinds = [{**asked, **reproducible}, {**asked, **reproducible}, reproducible, asked, PLAIN]
    jobs = leases(adapted_lease, family, kinds)
    alone = denoise(shared_runner, jobs[0])
    assert torch.equal(alone, denoise_together(shared_runner, jobs)[0])
