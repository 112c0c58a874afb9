"""What is done at each step of a request, and what may go wrong there."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest
import torch
from diffusers import DDIMScheduler
from torch import Tensor

from tests.workers.stage import FakeControl
from workers.batching.batcher import Batcher
from workers.batching.hub import Hub
from workers.checkpoint import Checkpoint
from workers.denoising import Step
from workers.watch import Watch

STEPS = 5


def step(done: int) -> Step:
    return Step(done, STEPS, torch.zeros(1, 4, 2, 2), DDIMScheduler())


def watched(make: Callable[[], Watch]) -> None:
    """All the steps of a request with that watch."""
    future: Future[Any] = Future()

    def work() -> None:
        watch = make()
        for done in range(1, STEPS + 1):
            watch(step(done))

    Hub(Batcher(1)).start(work, future)
    future.result(timeout=0)


def test_others_have_their_turns_also_at_steps_that_were_done_before() -> None:
    turns: list[int] = []
    control, checkpoint = FakeControl(), Checkpoint.of(step(3))
    watched(
        lambda: Watch(
            control, resume_from=checkpoint, let_others=lambda: turns.append(len(control.seen))
        )
    )
    assert turns == [0, 0, 1, 2, 3]


def test_a_preview_that_fails_is_the_last_and_the_request_goes_on() -> None:
    tried: list[int] = []

    def draw(latents: Tensor) -> bytes:
        tried.append(len(latents))
        raise torch.OutOfMemoryError("injected")

    control = FakeControl(takes_previews=True)
    watched(lambda: Watch(control, draw))
    assert tried == [1]
    assert control.previews == []
    assert control.seen[-1] == (STEPS, STEPS)


def test_a_device_that_is_lost_over_a_preview_ends_the_request() -> None:
    def draw(latents: Tensor) -> bytes:
        raise RuntimeError("CUDA error: device-side assert triggered")

    with pytest.raises(RuntimeError, match="device-side assert"):
        watched(lambda: Watch(FakeControl(takes_previews=True), draw))
