"""Adapters come and go under requests in flight, and leave nothing behind."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch

from myriad.catalog import Catalog
from myriad.errors import LeaseLost
from tests.workers.adapters.asked import DEPTH, EDGES, LINE, STYLE, denoise, named
from tests.workers.adapters.conftest import Fresh
from tests.workers.adapters.stock import INPUTS, call_stock
from tests.workers.adapters.test_together import denoise_together, leases
from tests.workers.batching.test_sharing import wait_for_queue
from tests.workers.stage import FakeControl, MakeLease, MakeRunner
from workers import blob
from workers.loaded import LoadedModel
from workers.runner import Runner


@dataclass
class Midway(FakeControl):
    """Does something once, on the engine thread, after the first step."""

    act: Callable[[], None] = field(default=lambda: None)

    def progress(self, done: int, total: int) -> None:
        super().progress(done, total)
        if done == 1:
            self.act()


def loaded(runner: Runner) -> LoadedModel:
    [model] = runner._library.held
    return model


def test_a_lora_loaded_in_mid_denoise_disturbs_nobody(
    adapted: Catalog, adapted_runner: MakeRunner, adapted_lease: MakeLease, fresh: Fresh
) -> None:
    runner = adapted_runner()
    first, second = leases(adapted_lease, "sd", [{"loras": [STYLE]}, {"loras": [LINE]}])
    early = runner.encode(first, INPUTS, FakeControl())
    late = runner.encode(second, INPUTS, FakeControl())
    with ThreadPoolExecutor(1) as threads:
        futures: list[Any] = []

        def arrive() -> None:
            futures.append(threads.submit(runner.denoise, second, late, FakeControl()))
            wait_for_queue(runner, 1)

        disturbed = blob.load(runner.denoise(first, early, Midway(act=arrive)))["latents"]
    assert torch.equal(disturbed, call_stock(fresh("sd"), adapted, first))
    newcomer = blob.load(futures[0].result())["latents"]
    assert torch.equal(newcomer, call_stock(fresh("sd"), adapted, second))


def test_least_recently_used_go_first_and_none_in_use(
    adapted_runner: MakeRunner, adapted_lease: MakeLease
) -> None:
    runner = adapted_runner()
    runner.preload("sd")
    pristine = loaded(runner).size_bytes
    additions = loaded(runner).additions
    additions._loras._shelf._max_count = additions._controlnets._shelf._max_count = 1
    kinds = [{"loras": [STYLE, LINE]}, {"loras": [LINE]}, {"controlnets": [EDGES, DEPTH]}]
    jobs = leases(adapted_lease, "sd", kinds)
    alone = [denoise(runner, job) for job in jobs]
    assert additions.held == ("sd-line", "sd-depth")
    together = denoise_together(runner, jobs)
    for one, other in zip(alone, together, strict=True):
        assert (one - other).abs().max() < 1e-4 * one.abs().max()
    assert len(additions.held) == 2
    assert loaded(runner).size_bytes > pristine


def test_without_loras_left_the_model_is_as_it_was(
    adapted_runner: MakeRunner, adapted_lease: MakeLease, family: str
) -> None:
    runner = adapted_runner()
    runner.preload(family)
    unet = loaded(runner).pipe.unet
    names, pristine = list(unet.state_dict()), loaded(runner).size_bytes
    loaded(runner).additions._loras._shelf._max_count = 0
    [job] = leases(adapted_lease, family, [{"loras": [STYLE, LINE]}])
    during: list[int] = []

    def look() -> None:
        during.append(loaded(runner).size_bytes)

    runner.denoise(job, runner.encode(job, INPUTS, FakeControl()), Midway(act=look))
    assert during[0] > pristine
    assert list(unet.state_dict()) == names
    assert loaded(runner).size_bytes == pristine


@pytest.mark.parametrize("asked", [{"loras": [STYLE]}, {"controlnets": [EDGES]}], ids=str)
def test_a_stopped_request_leaves_everything_in_order(
    adapted: Catalog,
    shared_runner: Runner,
    adapted_lease: MakeLease,
    fresh: Fresh,
    asked: dict[str, Any],
) -> None:
    stopping, staying = leases(adapted_lease, "sd", [asked, {}])
    embeds = shared_runner.encode(stopping, INPUTS, FakeControl())
    with pytest.raises(LeaseLost):
        shared_runner.denoise(stopping, embeds, FakeControl(stop_after=1))
    model = shared_runner._engine.run(lambda: shared_runner._library.get("sd"))
    shelves = (model.additions._loras._shelf, model.additions._controlnets._shelf)
    assert not any(users for shelf in shelves for users in shelf._users.values())
    assert torch.equal(denoise(shared_runner, staying), call_stock(fresh("sd"), adapted, staying))
    assert torch.equal(denoise(shared_runner, stopping), call_stock(fresh("sd"), adapted, stopping))


def test_resumed_equals_uninterrupted(
    adapted_runner: MakeRunner, adapted_lease: MakeLease, family: str
) -> None:
    asked = {"controlnets": [EDGES, DEPTH], "loras": [STYLE], "scheduler": "EulerAncestralDiscrete"}
    [job] = leases(adapted_lease, family, [asked])
    first, second = adapted_runner(), adapted_runner()
    control = FakeControl(takes_checkpoints=True)
    whole = denoise(first, job, control)
    embeds = second.encode(job, INPUTS, FakeControl())
    resumed = second.denoise(job, embeds, FakeControl(), control.checkpoints[1])
    assert torch.equal(blob.load(resumed)["latents"], whole)


def test_text_encoders_wear_nothing_afterwards(
    shared_runner: Runner, adapted_lease: MakeLease, family: str
) -> None:
    plain, styled = (
        adapted_lease(family, **named(family, asked)) for asked in ({}, {"loras": [STYLE]})
    )
    before = blob.load(shared_runner.encode(plain, {}, FakeControl()))["embeds"]
    other = blob.load(shared_runner.encode(styled, {}, FakeControl()))["embeds"]
    after = blob.load(shared_runner.encode(plain, {}, FakeControl()))["embeds"]
    assert not torch.equal(before["prompt_embeds"], other["prompt_embeds"])
    assert all(torch.equal(before[name], after[name]) for name in before)
