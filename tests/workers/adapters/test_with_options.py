"""LoRAs on denoisers whose weights are packed, cast or elsewhere."""

from typing import Any

import pytest
import torch

from tests.workers.adapters.asked import KINDS, denoise, named
from tests.workers.stage import MakeLease, MakeRunner


@pytest.mark.parametrize(
    "options",
    [
        {"precision": "fp8"},
        {"precision": "int8"},
        {"offload": "disk"},
        {"channels_last": True},
        {"linear": "onednn"},
    ],
    ids=str,
)
def test_a_lora_takes_effect_whatever_the_pool_does_with_weights(
    adapted_runner: MakeRunner, adapted_lease: MakeLease, options: dict[str, Any]
) -> None:
    runner = adapted_runner(**options)
    plain = denoise(runner, adapted_lease("sd"))
    worn = denoise(runner, adapted_lease("sd", **named("sd", KINDS["lora with text"])))
    assert torch.isfinite(worn).all()
    assert not torch.equal(worn, plain)
    assert torch.equal(denoise(runner, adapted_lease("sd")), plain)
