"""A denoise that was cut off goes on from its checkpoint as if nothing had happened."""

from typing import Any

import pytest
import torch

from myriad.errors import LeaseLost, Preempted
from myriad.job import Stage
from myriad.lease import Lease
from myriad.scheduler import DIFFUSION_SCHEDULERS
from tests.workers.stage import FakeControl, MakeLease, MakeRunner
from tests.workers.test_modes import IMAGE_DIGEST, INPUTS, MASK_DIGEST
from workers import blob
from workers.checkpoint import Checkpoint
from workers.runner import Runner

STEPS = 8
CUT = 4


def latents_of(data: bytes) -> torch.Tensor:
    return blob.load(data)["latents"]


def cut_off(runner: Runner, job: Lease, embeds: bytes, after: int = CUT) -> list[bytes]:
    """The checkpoints of a run whose worker is lost after so many steps."""
    control = FakeControl(stop_after=after, takes_checkpoints=True)
    with pytest.raises(LeaseLost):
        runner.denoise(job, embeds, control)
    return control.checkpoints


def assert_resumes(open_runner: MakeRunner, job: Lease) -> None:
    first, second = open_runner(max_rows=8), open_runner(max_rows=8)
    embeds = first.encode(job, INPUTS, FakeControl())
    whole_control, rest_control = FakeControl(), FakeControl()
    whole = first.denoise(job, embeds, whole_control)
    saved = cut_off(first, job, embeds)[-1]
    before = second.forwards
    rest = second.denoise(job, embeds, rest_control, saved)
    assert torch.equal(latents_of(rest), latents_of(whole))
    done = CUT - 1  # the last step before the cut told of no checkpoint any more
    total = whole_control.seen[-1][1]
    assert rest_control.seen == [(step, total) for step in range(done, total + 1)]
    assert second.forwards - before < len(whole_control.seen)
    assert rest_control.notes == [f"resumed after step {done} of {total}"]


@pytest.mark.parametrize("scheduler", DIFFUSION_SCHEDULERS)
def test_every_scheduler_resumes_bit_for_bit(
    open_runner: MakeRunner, lease: MakeLease, scheduler: str
) -> None:
    assert_resumes(open_runner, lease("sd", scheduler=scheduler, num_inference_steps=STEPS))


@pytest.mark.parametrize(
    "asked",
    [
        {"guidance_scale": 1.0},
        {"num_images": 2, "scheduler": "EulerAncestralDiscreteScheduler"},
        {"image": IMAGE_DIGEST, "strength": 0.9},
        {"image": IMAGE_DIGEST, "mask": MASK_DIGEST, "strength": 0.9},
    ],
    ids=str,
)
def test_every_kind_of_request_resumes_bit_for_bit(
    open_runner: MakeRunner, lease: MakeLease, family: str, asked: dict[str, Any]
) -> None:
    assert_resumes(open_runner, lease(family, num_inference_steps=STEPS, **asked))


def test_whoever_must_give_way_leaves_a_checkpoint(
    open_runner: MakeRunner, lease: MakeLease
) -> None:
    class GivesWay(FakeControl):
        def check(self) -> None:
            if len(self.seen) == CUT:
                raise Preempted("a more urgent job waits")

    runner, job, control = open_runner(), lease("sd", num_inference_steps=STEPS), GivesWay()
    embeds = runner.encode(job, {}, FakeControl())
    with pytest.raises(Preempted):
        runner.denoise(job, embeds, control)
    [saved] = control.checkpoints
    rest = runner.denoise(job, embeds, FakeControl(), saved)
    assert torch.equal(latents_of(rest), latents_of(runner.denoise(job, embeds, FakeControl())))
    checkpoint = Checkpoint.load(saved)
    assert checkpoint is not None
    assert checkpoint.done == CUT


@pytest.mark.parametrize("kind", ["torn", "foreign", "of another run"])
def test_a_checkpoint_that_cannot_be_used_is_left_aside(
    open_runner: MakeRunner, lease: MakeLease, kind: str
) -> None:
    runner, job = open_runner(Stage.ENCODE, Stage.DENOISE), lease("sd", num_inference_steps=STEPS)
    embeds = runner.encode(job, {}, FakeControl())
    saved = cut_off(runner, job, embeds)[-1]
    other = lease("sd", num_inference_steps=STEPS + 3)
    bad = {
        "torn": lambda: saved[: len(saved) // 2],
        "foreign": lambda: b"not a blob at all",
        "of another run": lambda: cut_off(runner, other, embeds)[-1],
    }[kind]()
    control = FakeControl()
    latents = runner.denoise(job, embeds, control, bad)
    assert torch.equal(latents_of(latents), latents_of(runner.denoise(job, embeds, FakeControl())))
    assert control.seen[0] == (1, STEPS)
