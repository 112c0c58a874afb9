"""Models leave in the order they were last used, and only when room is needed."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from myriad.errors import LeaseLost, ModelNotLoadable
from myriad.job import Stage
from tests.workers.stage import FakeControl, MakeLease, MakeRunner
from workers import residency
from workers.residency import Key, Residency


@dataclass
class FakeModel:
    """Both what is to be loaded and what then is held."""

    size_bytes: int
    is_in_use: bool = False
    can_wait: bool = True
    loads: list[int] = field(default_factory=list)
    moves: list[str] = field(default_factory=list)

    @property
    def expected_bytes(self) -> int:
        return self.size_bytes

    def load(self) -> "FakeModel":
        self.loads.append(self.size_bytes)
        return self

    def leave(self) -> None:
        self.moves.append("left")

    def come_back(self) -> None:
        self.moves.append("came back")


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


def where(held: Residency[FakeModel]) -> dict[str, str]:
    return {each.model: each.tier.value for each in held.residents}


def test_what_leaves_the_device_waits_in_host_memory() -> None:
    held: Residency[FakeModel] = Residency(10, host_budget_bytes=8)
    first = FakeModel(6)
    held.get(key("a"), lambda: first)
    held.get(key("b"), lambda: FakeModel(7))
    assert where(held) == {"b": "device", "a": "host"}
    assert held.get(key("a"), lambda: FakeModel(99)) is first
    assert first.loads == [6]
    assert first.moves == ["left", "came back"]
    assert where(held) == {"a": "device", "b": "host"}


def test_host_memory_has_a_budget_too_and_the_longest_unused_goes_first() -> None:
    held: Residency[FakeModel] = Residency(10, host_budget_bytes=12)
    for name in "abc":
        held.get(key(name), lambda: FakeModel(6))
    assert where(held) == {"c": "device", "a": "host", "b": "host"}
    held.get(key("d"), lambda: FakeModel(6))
    assert where(held) == {"d": "device", "b": "host", "c": "host"}


def test_what_cannot_move_is_dropped() -> None:
    held: Residency[FakeModel] = Residency(10, host_budget_bytes=100)
    fixed = FakeModel(6, can_wait=False)
    held.get(key("a"), lambda: fixed)
    held.get(key("b"), lambda: FakeModel(6))
    assert where(held) == {"b": "device"}
    assert fixed.moves == []


def test_a_model_in_use_is_spared_while_another_is_idle() -> None:
    held: Residency[FakeModel] = Residency(10)
    held.get(key("busy"), lambda: FakeModel(4, is_in_use=True))
    held.get(key("idle"), lambda: FakeModel(4))
    held.get(key("c"), lambda: FakeModel(4))
    assert where(held) == {"busy": "device", "c": "device"}


def test_a_model_in_use_is_waited_for_and_never_moved() -> None:
    busy = FakeModel(6, is_in_use=True)
    waited: list[bool] = []

    def wait(is_over: Callable[[], bool]) -> bool:
        waited.append(is_over())
        busy.is_in_use = False
        return is_over()

    held: Residency[FakeModel] = Residency(10, host_budget_bytes=10, wait=wait)
    held.get(key("busy"), lambda: busy)
    held.get(key("b"), lambda: FakeModel(6))
    assert waited == [False]
    assert busy.moves == ["left"]
    stuck: Residency[FakeModel] = Residency(10, host_budget_bytes=10)
    forever = FakeModel(6, is_in_use=True)
    stuck.get(key("busy"), lambda: forever)
    stuck.get(key("b"), lambda: FakeModel(6))
    assert where(stuck) == {"b": "device"}
    assert forever.moves == []


def test_who_waits_for_room_finds_what_another_brought_meanwhile() -> None:
    """Two ask for a model that needs the room of a busy one: it is loaded once."""
    busy, wanted, again = FakeModel(6, is_in_use=True), FakeModel(6), FakeModel(6)
    found: list[FakeModel] = []

    def wait(is_over: Callable[[], bool]) -> bool:
        busy.is_in_use = False
        if not found:
            found.append(again)
            found.append(held.get(key("b"), lambda: again))
        return is_over()

    held: Residency[FakeModel] = Residency(10, wait=wait)
    held.get(key("busy"), lambda: busy)
    assert held.get(key("b"), lambda: wanted) is again
    assert wanted.loads == []
    assert where(held) == {"b": "device"}


def test_who_is_ended_while_waiting_for_room_loses_nothing() -> None:
    def wait(is_over: Callable[[], bool]) -> bool:
        raise LeaseLost("canceled")

    held: Residency[FakeModel] = Residency(10, host_budget_bytes=10, wait=wait)
    idle, busy = FakeModel(6), FakeModel(6)
    held.get(key("idle"), lambda: idle)
    held.get(key("busy"), lambda: busy)
    busy.is_in_use = True
    with pytest.raises(LeaseLost):
        held.get(key("idle"), lambda: FakeModel(6))
    busy.is_in_use = False
    assert held.get(key("idle"), lambda: FakeModel(99)) is idle


def test_newcomers_to_a_busy_model_let_the_starving_have_their_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(residency, "PATIENCE_S", 0.0)
    busy = FakeModel(6, is_in_use=True)
    order: list[str] = []

    def wait(is_over: Callable[[], bool]) -> bool:
        """Stands for the hub: another request for the busy model comes while one sleeps."""
        if not order:
            order.append("asleep")
            held.get(key("busy"), lambda: busy)
            order.append("newcomer went on")
            busy.is_in_use = False
        elif not is_over():
            order.append("newcomer waits")
        return is_over()

    held: Residency[FakeModel] = Residency(10, wait=wait)
    held.get(key("busy"), lambda: busy)
    held.get(key("b"), lambda: FakeModel(6))
    assert order == ["asleep", "newcomer waits", "newcomer went on"]
    assert where(held) == {"b": "device"}


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
    """Either model's encode stage fits into 4 MB, not both."""
    runner = open_runner(Stage.ENCODE, memory=4_000_000)
    for model in ("sd", "sdxl", "sd"):
        assert runner.encode(lease(model), {}, FakeControl())
        assert runner.held_models == (model,)
    roomy = open_runner(Stage.ENCODE)
    for model in ("sd", "sdxl", "sd"):
        roomy.preload(model)
    assert roomy.held_models == ("sdxl", "sd")
