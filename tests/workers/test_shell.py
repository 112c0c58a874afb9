"""A request's own scheduler keeps what the model's folder says of time."""

from typing import Any

import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, UniPCMultistepScheduler

from workers.shell import open_shell

FLOW = {"use_flow_sigmas": True, "prediction_type": "flow_prediction"}


class Pipe:
    def __init__(self, scheduler: Any) -> None:
        self.scheduler = scheduler


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        (
            UniPCMultistepScheduler(flow_shift=5.0, **FLOW),
            FlowMatchEulerDiscreteScheduler(shift=5.0),
        ),
        (
            FlowMatchEulerDiscreteScheduler(shift=3.0),
            UniPCMultistepScheduler(flow_shift=3.0, **FLOW),
        ),
        (FlowMatchEulerDiscreteScheduler(shift=3.0), FlowMatchEulerDiscreteScheduler(shift=3.0)),
    ],
    ids=["flow from noise", "noise from flow", "the same"],
)
def test_a_flow_models_shift_of_time_is_kept(base: Any, expected: Any) -> None:
    scheduler = open_shell(Pipe(base), type(expected).__name__).scheduler
    flow, latents = torch.full((1, 4, 2, 2), 0.3), torch.ones(1, 4, 2, 2)
    for each in (scheduler, expected):
        each.set_timesteps(8)
    assert torch.equal(scheduler.sigmas, expected.sigmas)
    [ours], [theirs] = (
        each.step(flow, each.timesteps[0], latents, return_dict=False)
        for each in (scheduler, expected)
    )
    assert torch.equal(ours, theirs)
