"""What is kept for the next request: least recently used out first, but nothing in use."""

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Generic, Protocol, TypeVar


class Weighty(Protocol):
    """Anything that knows how many bytes its parameters take."""

    @property
    def size_bytes(self) -> int: ...


Held = TypeVar("Held", bound=Weighty)


class Shelf(Generic[Held]):
    """Up to `max_count` things of `max_bytes` together, and whatever is in use beyond that.

    `drop` is told of each thing that is let go.
    """

    def __init__(
        self, max_count: int, max_bytes: int, drop: Callable[[Held], None] = lambda held: None
    ) -> None:
        self._max_count, self._max_bytes, self._drop = max_count, max_bytes, drop
        self._held: OrderedDict[str, Held] = OrderedDict()
        self._users: Counter[str] = Counter()

    @property
    def held(self) -> Mapping[str, Held]:
        """What is here, least recently used first."""
        return self._held

    @property
    def size_bytes(self) -> int:
        return sum(held.size_bytes for held in self._held.values())

    @contextmanager
    def use(self, names: Iterable[str], load: Callable[[str], Held]) -> Iterator[list[Held]]:
        """The things of these names, loaded if need be; none of them goes until the block ends."""
        wanted = list(names)
        self._users.update(wanted)
        try:
            yield [self._get(name, load) for name in wanted]
        finally:
            self._users.subtract(wanted)
            self._trim()

    def clear(self) -> None:
        """Let go of everything that is not in use."""
        for name in [name for name in self._held if not self._users[name]]:
            self._drop(self._held.pop(name))

    def _get(self, name: str, load: Callable[[str], Held]) -> Held:
        if name not in self._held:
            loaded = load(name)
            if name in self._held:  # making room may wait, and another user was faster
                self._drop(loaded)
            else:
                self._held[name] = loaded
            self._trim()
        self._held.move_to_end(name)
        return self._held[name]

    def _trim(self) -> None:
        for name in list(self._held):
            if len(self._held) <= self._max_count and self.size_bytes <= self._max_bytes:
                return
            if not self._users[name]:
                self._drop(self._held.pop(name))
