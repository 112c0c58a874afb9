"""Each warning is given where it holds, and not where it does not."""

from typing import Any

import pytest

from myriad.catalog import Limits, Model
from myriad.model import Defaults
from myriad.pool import Pool
from tests.workers.doctor.reports import CPU, MACHINE, cost, costs
from workers.device import open_device
from workers.doctor.advice import warnings
from workers.doctor.report import CostReport, MachineReport

ALL = ("encode", "denoise", "decode")


def model(**changes: Any) -> Model:
    return Model(name="myriad-shapes", family="sd", source=".", **changes)


def warned(
    *,
    machine: MachineReport = MACHINE,
    costs: CostReport | None = None,
    catalogue: tuple[Model, ...] = (model(),),
    **pool: Any,
) -> str:
    opened = Pool(name="all", stages=ALL, **({"precision": "bf16"} | pool))
    devices = (CPU,)
    return "\n".join(
        warnings(machine, devices, (), catalogue, [(opened, open_device(opened))], costs)
    )


def test_nothing_wrong_no_warning() -> None:
    good = costs(
        cost("denoise", 1, 0.02), cost("denoise", 1, 0.01, threads=2), cost("decode", 1, 0.02)
    )
    assert warned(costs=good) == ""


@pytest.mark.parametrize(("seconds", "is_long"), [(0.4, False), (0.6, True)])
def test_a_decode_of_over_half_a_minute(seconds: float, is_long: bool) -> None:
    text = warned(costs=costs(cost("decode", 1, seconds)))
    assert ("full VAE decode of myriad-shapes at 1024x1024 takes about 38 s" in text) == is_long
    assert ("give the catalogue's entry a tiny autoencoder" in text) == is_long
    small = model(limits=Limits(max_pixels=256 * 256))
    assert warned(costs=costs(cost("decode", 1, seconds)), catalogue=(small,)) == ""


def test_a_model_with_a_tiny_autoencoder() -> None:
    slow, has_one = costs(cost("decode", 1, 2.0)), (model(tiny_vae="taesd"),)
    text = warned(costs=slow, catalogue=has_one)
    assert "set tiny_vae = true there, or let a pool with a GPU decode" in text
    assert warned(costs=slow, catalogue=has_one, tiny_vae=True) == ""


def test_two_threads_slower_than_one() -> None:
    slow = costs(cost("denoise", 1, 0.02), cost("denoise", 1, 0.03, threads=2))
    assert "2 torch threads are no faster than one" in warned(costs=slow)


def test_more_threads_than_cores() -> None:
    assert "8 torch threads together, this machine 4 cores" in warned(threads=4, workers=2)
    assert warned(threads=2, workers=2) == ""


def test_a_slow_precision() -> None:
    assert "150.0x as fast in bf16" in warned(precision="fp16")
    assert "2.0x as fast in bf16" in warned(precision="fp32")


def test_packages_that_video_and_wan_need() -> None:
    bare = MachineReport("Linux", "a processor", "AVX2", 4, "3.11", {"av": ""}, {})
    film = Model(
        name="film",
        family="wan",
        source=".",
        limits=Limits(max_frames=81, frame_multiple=4),
        defaults=Defaults(num_frames=81),
    )
    text = warned(machine=bare, catalogue=(film,))
    assert "package av is missing" in text
    assert "package ftfy is missing" in text
    assert warned(machine=bare) == ""
