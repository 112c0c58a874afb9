"""Least recently used out first, and never what is in use."""

from dataclasses import dataclass

import pytest

from workers.adapters.shelf import Shelf


@dataclass(frozen=True)
class Thing:
    name: str
    size_bytes: int = 10


@pytest.fixture
def dropped() -> list[str]:
    return []


def make(dropped: list[str], max_count: int = 2, max_bytes: int = 100) -> Shelf[Thing]:
    return Shelf(max_count, max_bytes, lambda thing: dropped.append(thing.name))


def use(shelf: Shelf[Thing], *names: str) -> None:
    with shelf.use(names, Thing) as things:
        assert [thing.name for thing in things] == list(names)


def test_the_least_recently_used_goes_first(dropped: list[str]) -> None:
    shelf = make(dropped)
    for name in ("a", "b", "a", "c"):
        use(shelf, name)
    assert dropped == ["b"]
    assert list(shelf.held) == ["a", "c"]


def test_what_is_held_is_not_loaded_again() -> None:
    shelf, loads = make([]), list[str]()

    def load(name: str) -> Thing:
        loads.append(name)
        return Thing(name)

    for _ in range(2):
        with shelf.use(["a", "a"], load):
            pass
    assert loads == ["a"]


def test_bytes_are_bounded_too(dropped: list[str]) -> None:
    shelf = make(dropped, max_count=9, max_bytes=20)
    for name in ("a", "b", "c"):
        use(shelf, name)
    assert dropped == ["a"]
    assert shelf.size_bytes == 20


def test_nothing_in_use_goes_until_its_last_user_has_left(dropped: list[str]) -> None:
    shelf = make(dropped, max_count=1)
    with shelf.use(["a"], Thing):
        with shelf.use(["a", "b", "c"], Thing):
            assert set(shelf.held) == {"a", "b", "c"}
        assert "a" in shelf.held
        assert dropped == ["b", "c"]
    use(shelf, "d")
    assert dropped == ["b", "c", "a"]


def test_who_fails_to_load_leaves_no_user_behind(dropped: list[str]) -> None:
    shelf = make(dropped, max_count=0)

    def load(name: str) -> Thing:
        if name == "bad":
            raise ValueError(name)
        return Thing(name)

    with pytest.raises(ValueError, match="bad"), shelf.use(["good", "bad"], load):
        pass
    assert dropped == ["good"]
    assert not shelf.held


def test_two_who_load_the_same_at_once_keep_one_of_them(dropped: list[str]) -> None:
    shelf = make(dropped)

    def load_slowly(name: str) -> Thing:
        use(shelf, "a")
        return Thing("late")

    with shelf.use(["a"], load_slowly) as things:
        assert [thing.name for thing in things] == ["a"]
    assert dropped == ["late"]
