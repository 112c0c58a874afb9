"""Out of memory, injected into real modules: each rung is climbed, noted, and left again."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
import torch

from myriad.errors import OutOfMemory
from myriad.job import Stage
from tests.workers.batching.test_sharing import held, wait_for_queue
from tests.workers.stage import FakeControl, MakeLease, MakeRunner
from workers import blob
from workers.batching.passes import FEWER_ROWS
from workers.options.offload import is_offloaded
from workers.runner import Runner


def on_engine(runner: Runner, act: Any) -> Any:
    return runner._engine.run(act)


@contextmanager
def scarce(runner: Runner, part: str, has_room: Any) -> Iterator[list[int]]:
    """Let the module run out of memory whenever `has_room(module, rows)` is false."""
    refused: list[int] = []
    module = getattr(on_engine(runner, lambda: runner._library.get("sd")).pipe, part)
    inner = module.mid_block if part == "unet" else module.decoder

    def refuse(mid: Any, args: Any) -> None:
        if not has_room(module, len(args[0])):
            refused.append(len(args[0]))
            raise torch.OutOfMemoryError("injected")

    handle = inner.register_forward_pre_hook(refuse)
    yield refused
    handle.remove()


def latents(runner: Runner, lease: MakeLease, seed: int = 1) -> tuple[Any, bytes]:
    job = lease("sd", seed=seed)
    return job, runner.encode(job, {}, FakeControl())


def test_too_many_rows_become_fewer_and_nobody_fails(
    lease: MakeLease, open_runner: MakeRunner
) -> None:
    runner = open_runner(max_rows=64)
    jobs = [latents(runner, lease, seed) for seed in range(6)]
    controls = [FakeControl() for _ in jobs]
    expected = [blob.load(runner.denoise(job, made, FakeControl())) for job, made in jobs]
    with scarce(runner, "unet", lambda unet, rows: rows <= 4) as refused:
        with ThreadPoolExecutor(len(jobs)) as threads, held(runner):
            waiting = [
                threads.submit(runner.denoise, job, made, control)
                for (job, made), control in zip(jobs, controls, strict=True)
            ]
            wait_for_queue(runner, len(jobs))
        results = [blob.load(future.result()) for future in waiting]
    assert refused
    assert all(rows > 4 for rows in refused)
    assert len(refused) <= 3  # the limit is learnt, not run into at every step
    for got, alone in zip(results, expected, strict=True):
        scale = alone["latents"].abs().max()
        assert (got["latents"] - alone["latents"]).abs().max() < 1e-4 * scale
    noted = [control.notes for control in controls if control.notes]
    assert noted
    assert {note for notes in noted for note in notes} == {FEWER_ROWS}


def test_a_picture_too_large_is_decoded_in_tiles(lease: MakeLease, open_runner: MakeRunner) -> None:
    runner, control = open_runner(), FakeControl()
    job, made = latents(runner, lease)
    drawn = runner.denoise(job, made, FakeControl())
    with scarce(runner, "vae", lambda vae, rows: vae.use_tiling):
        [picture] = runner.decode(job, drawn, control)
    assert picture.data
    assert control.notes == [
        "out of memory: the VAE works image by image",
        "out of memory: the VAE works tile by tile",
    ]
    vae = on_engine(runner, lambda: runner._library.get("sd")).pipe.vae
    assert not vae.use_slicing
    assert not vae.use_tiling


def test_a_denoiser_that_does_not_fit_is_offloaded_and_draws_the_same(
    lease: MakeLease, open_runner: MakeRunner
) -> None:
    runner, control = open_runner(), FakeControl()
    job, made = latents(runner, lease)
    expected = blob.load(runner.denoise(job, made, FakeControl()))["latents"]
    with scarce(runner, "unet", lambda unet, rows: is_offloaded(unet)):
        got = blob.load(runner.denoise(job, made, control))["latents"]
    assert control.notes == [
        FEWER_ROWS,
        "out of memory: the denoiser's layers wait off the device",
    ]
    assert (got - expected).abs().max() < 1e-4 * expected.abs().max()


def test_other_models_leave_the_device_first(lease: MakeLease, open_runner: MakeRunner) -> None:
    runner, control = open_runner(host_memory="1GiB"), FakeControl()
    runner.preload("sdxl")
    job, made = latents(runner, lease)
    with scarce(runner, "unet", lambda unet, rows: runner.held_models == ("sd",)):
        runner.denoise(job, made, control)
    assert control.notes == [FEWER_ROWS, "out of memory: other models left the device"]
    tiers = {each.model: each.tier.value for each in runner.residents}
    assert tiers == {"sd": "device", "sdxl": "host"}


@pytest.mark.parametrize("stage", [Stage.DENOISE, Stage.DECODE])
def test_at_the_top_of_the_ladder_this_one_job_fails(
    lease: MakeLease, open_runner: MakeRunner, stage: Stage
) -> None:
    runner, control = open_runner(), FakeControl()
    job, made = latents(runner, lease)
    drawn = runner.denoise(job, made, FakeControl())
    part, call = {
        Stage.DENOISE: ("unet", lambda: runner.denoise(job, made, control)),
        Stage.DECODE: ("vae", lambda: runner.decode(job, drawn, control)),
    }[stage]
    with scarce(runner, part, lambda module, rows: False), pytest.raises(OutOfMemory):
        call()
    assert control.notes
    assert runner.decode(job, runner.denoise(job, made, FakeControl()), FakeControl())
