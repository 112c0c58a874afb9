"""One request at a time: LoRAs and ControlNets do exactly what they do in the stock pipeline."""

import pytest
import torch

from myriad.catalog import Catalog
from myriad.job import Stage
from tests.workers.adapters.asked import KINDS, LINE, STYLE, WORDS, denoise, named
from tests.workers.adapters.conftest import Fresh
from tests.workers.adapters.stock import INPUTS, call_stock
from tests.workers.stage import FakeControl, MakeLease, MakeRunner
from workers import blob
from workers.runner import Runner

# The additions are the same code in both families; the pipelines and text encoders are not.
IN_BOTH = ["lora with text", "two loras", "controlnet", "image and two controlnets"]
IN_BOTH += ["mask and controlnet", "controlnet and lora"]
CASES = [("sd", kind) for kind in KINDS] + [("sdxl", kind) for kind in IN_BOTH]


@pytest.mark.parametrize(("family", "kind"), CASES)
def test_it_equals_the_stock_pipeline(
    adapted: Catalog,
    shared_runner: Runner,
    adapted_lease: MakeLease,
    fresh: Fresh,
    family: str,
    kind: str,
) -> None:
    job = adapted_lease(family, **named(family, KINDS[kind]))
    assert torch.equal(denoise(shared_runner, job), call_stock(fresh(family), adapted, job))


@pytest.mark.parametrize("kind", ["two loras", "mask and controlnet"])
def test_stages_in_different_processes_equal_the_stock_pipeline(
    adapted: Catalog,
    adapted_runner: MakeRunner,
    adapted_lease: MakeLease,
    fresh: Fresh,
    family: str,
    kind: str,
) -> None:
    job = adapted_lease(family, **named(family, KINDS[kind]))
    encoder, denoiser = adapted_runner(Stage.ENCODE), adapted_runner(Stage.DENOISE)
    embeds = encoder.encode(job, INPUTS, FakeControl())
    latents = blob.load(denoiser.denoise(job, embeds, FakeControl()))["latents"]
    assert torch.equal(latents, call_stock(fresh(family), adapted, job))


def test_each_addition_makes_a_difference(
    shared_runner: Runner, adapted_lease: MakeLease, family: str
) -> None:
    plain = denoise(shared_runner, adapted_lease(family))
    for asked in ({"loras": [STYLE]}, {"loras": [WORDS]}, {"loras": [LINE]}, KINDS["controlnet"]):
        other = denoise(shared_runner, adapted_lease(family, **named(family, asked)))
        assert not torch.allclose(plain, other, rtol=1e-2)


def test_without_weight_a_lora_is_none(
    adapted_runner: MakeRunner, adapted_lease: MakeLease, family: str
) -> None:
    runner = adapted_runner()
    unweighted = named(family, {"loras": [{"name": "style", "scale": 0.0}]})
    plain = denoise(runner, adapted_lease(family))
    assert torch.equal(plain, denoise(runner, adapted_lease(family, **unweighted)))
    [loaded] = runner._library.held
    assert loaded.additions.held == ()
