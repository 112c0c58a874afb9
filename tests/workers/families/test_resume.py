"""A request of any family goes on from its checkpoint, in another worker, bit for bit."""

from typing import Any

import pytest
import torch

from myriad.job import Stage
from tests.workers.families.tiny import TINY
from tests.workers.families.tiny.model import IMAGE, INPUTS
from tests.workers.stage import FakeControl, MakeLease, MakeRunner, Parted
from tests.workers.test_resume import cut_off, latents_of

STEPS = 6
CUT = 4
CASES: list[tuple[str, dict[str, Any]]] = [
    (family, asked)
    for family, tiny in TINY.items()
    for asked in ({"num_images": 2}, {"image": IMAGE, "strength": 0.9})
    if "image" not in asked or any("image" in kind for kind in tiny.kinds)
]


@pytest.mark.parametrize(("family", "asked"), CASES)
def test_resumed_equals_uninterrupted(
    parted: Parted,
    open_runner: MakeRunner,
    lease: MakeLease,
    family: str,
    asked: dict[str, Any],
) -> None:
    first, second = open_runner(Stage.DENOISE), open_runner(Stage.DENOISE)
    job = lease(family, num_inference_steps=STEPS, **asked)
    embeds = parted[Stage.ENCODE].encode(job, INPUTS, FakeControl())
    whole = first.denoise(job, embeds, FakeControl())
    forwards = first.forwards
    saved = cut_off(first, job, embeds, CUT)[-1]
    rest = second.denoise(job, embeds, FakeControl(), saved)
    assert torch.equal(latents_of(rest), latents_of(whole))
    assert second.forwards < forwards
