"""One table of samplers: every scheduler has a name, and no name means two things."""

from myriad.family import FAMILIES
from myriad.sampler_names import (
    SAMPLERS,
    a1111_name,
    comfyui_names,
    find_a1111,
    find_comfyui,
    scheduler_for,
)
from myriad.scheduler import SCHEDULERS


def test_every_scheduler_can_be_asked_for_by_name() -> None:
    assert {name for each in SAMPLERS for name in each.schedulers} == set(SCHEDULERS)
    for scheduler in SCHEDULERS:
        sampler = find_a1111(a1111_name(scheduler))
        assert sampler is not None
        assert scheduler_for(sampler, [scheduler]) == scheduler


def test_no_name_means_two_samplers() -> None:
    names = comfyui_names(SCHEDULERS)
    assert len(names) == len(set(names))
    for each in SAMPLERS:
        assert all(find_a1111(name.upper()) is each for name in (each.a1111, *each.a1111_aliases))
        assert all(find_comfyui(name) is each for name in each.comfyui)


def test_euler_goes_with_every_family_that_draws() -> None:
    euler = find_comfyui("euler")
    assert euler is not None
    for family in FAMILIES.values():
        assert scheduler_for(euler, family.schedulers) in family.schedulers
    assert find_a1111("nothing") is find_comfyui("nothing") is None
