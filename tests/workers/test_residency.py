"""Models leave in the order they were last used, and only when room is needed."""

from dataclasses import dataclass, field

import pytest

from myriad.errors import ModelNotLoadable
from myriad.job import Stage
from tests.workers.stage import FakeControl, MakeLease, MakeRunner
from workers.residency import Key, Residency


@dataclass
class FakeModel:
    """Both what is to be loaded and what then is held."""

    size_bytes: int
    loads: list[int] = field(default_factory=list)

    @property
    def expected_bytes(self) -> int:
        return self.size_bytes

    def load(self) -> "FakeModel":
        self.loads.append(self.size_bytes)
        return self


def key(name: str, *stages: Stage) -> Key:
    return Key(name, stages or tuple(Stage))


def test_least_recently_used_goes_first() -> None:
    held: Residency[FakeModel] = Residency(10)
    for name in ("a", "b", "a", "c"):
        held.get(key(name), lambda: FakeModel(4))
    assert held.names == ("a", "c")


def test_what_is_held_is_not_loaded_again() -> None:
    held, model = Residency[FakeModel](10), FakeModel(4)
    assert held.get(key("a"), lambda: model) is held.get(key("a"), lambda: FakeModel(1))
    assert model.loads == [4]


def test_room_is_made_before_the_next_model_is_loaded() -> None:
    order: list[str] = []

    class Watched(FakeModel):
        def load(self) -> FakeModel:
            order.append("load")
            return self

    held: Residency[FakeModel] = Residency(10, on_evict=lambda: order.append("evict"))
    held.get(key("a"), lambda: Watched(6))
    held.get(key("b"), lambda: Watched(6))
    assert order == ["load", "evict", "load"]
    assert held.names == ("b",)


def test_as_many_leave_as_needed_and_no_more() -> None:
    held: Residency[FakeModel] = Residency(10)
    for name, size in (("a", 3), ("b", 3), ("c", 3), ("d", 6)):
        held.get(key(name), lambda size=size: FakeModel(size))
    assert held.names == ("c", "d")


def test_a_model_larger_than_the_budget_is_refused_and_evicts_nothing() -> None:
    held: Residency[FakeModel] = Residency(10)
    held.get(key("a"), lambda: FakeModel(4))
    with pytest.raises(ModelNotLoadable, match="model b needs"):
        held.get(key("b"), lambda: FakeModel(11))
    assert held.names == ("a",)


def test_stages_are_part_of_the_key_and_names_are_reported_once() -> None:
    held: Residency[FakeModel] = Residency(10)
    held.get(key("a", Stage.ENCODE), lambda: FakeModel(1))
    held.get(key("a", Stage.DECODE), lambda: FakeModel(2))
    assert held.names == ("a",)


def test_a_load_that_fails_leaves_no_trace() -> None:
    class Broken(FakeModel):
        def load(self) -> FakeModel:
            raise ModelNotLoadable("broken")

    held: Residency[FakeModel] = Residency(10)
    with pytest.raises(ModelNotLoadable):
        held.get(key("a"), lambda: Broken(1))
    assert held.names == ()
    assert held.get(key("a"), lambda: FakeModel(2)).size_bytes == 2


def test_a_runner_swaps_real_models_within_its_memory(
    open_runner: MakeRunner, lease: MakeLease
) -> None:
    """Either text encoder fits into 320 kB, not both."""
    runner = open_runner(Stage.ENCODE, memory=320_000)
    for model in ("sd", "sdxl", "sd"):
        assert runner.encode(lease(model), FakeControl())
        assert runner.held_models == (model,)
    roomy = open_runner(Stage.ENCODE)
    for model in ("sd", "sdxl", "sd"):
        roomy.preload(model)
    assert roomy.held_models == ("sdxl", "sd")
