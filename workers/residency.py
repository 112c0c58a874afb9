"""Which models this worker holds: least recently used out first, within a budget."""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Generic, NamedTuple, Protocol, TypeVar

from myriad.errors import ModelNotLoadable
from myriad.job import Stage


class Weighty(Protocol):
    """Anything that knows how many bytes its parameters take."""

    @property
    def size_bytes(self) -> int: ...


Held = TypeVar("Held", bound=Weighty)
HeldCovariant = TypeVar("HeldCovariant", bound=Weighty, covariant=True)


class Loadable(Protocol[HeldCovariant]):
    """Something that is about to be loaded and knows how much room it will take."""

    @property
    def expected_bytes(self) -> int: ...

    def load(self) -> HeldCovariant: ...


class Key(NamedTuple):
    """A model by its catalogue name, and the stages whose components are loaded."""

    model: str
    stages: tuple[Stage, ...]


class Residency(Generic[Held]):
    """Used on the engine thread alone; only `names` may be read from elsewhere.

    `on_evict` runs after models were dropped and before the next is loaded.
    """

    def __init__(self, budget_bytes: int, on_evict: Callable[[], None] = lambda: None) -> None:
        self._budget_bytes = budget_bytes
        self._on_evict = on_evict
        self._held: OrderedDict[Key, Held] = OrderedDict()
        self.names: tuple[str, ...] = ()

    def get(self, key: Key, prepare: Callable[[], Loadable[Held]]) -> Held:
        """What is held under `key`, else what `prepare` says, loaded after making room for it.

        Raises:
            ModelNotLoadable: the model alone is larger than the budget.
        """
        if key not in self._held:
            loadable = prepare()
            self._make_room(key, loadable.expected_bytes)
            self._held[key] = loadable.load()
        self._held.move_to_end(key)
        self._publish(self._held)
        return self._held[key]

    def clear(self) -> None:
        """Drop everything."""
        self._held.clear()
        self._publish(())
        self._on_evict()

    def _make_room(self, key: Key, needed_bytes: int) -> None:
        if needed_bytes > self._budget_bytes:
            raise ModelNotLoadable(
                f"model {key.model} needs {_mib(needed_bytes)} for its weights, but the pool's"
                f" memory is {_mib(self._budget_bytes)}; raise `memory` in pools.toml"
            )
        is_changed = False
        while self._held and self._used_bytes() + needed_bytes > self._budget_bytes:
            self._held.popitem(last=False)
            is_changed = True
        if is_changed:
            self._publish(self._held)
            self._on_evict()

    def _used_bytes(self) -> int:
        return sum(held.size_bytes for held in self._held.values())

    def _publish(self, keys: Iterable[Key]) -> None:
        # One assignment of a new tuple, so a reader on another thread sees old or new, whole.
        self.names = tuple(dict.fromkeys(key.model for key in keys))


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / 2**20:,.0f} MiB"
