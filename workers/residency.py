"""Which models this worker holds: least recently used out first, within a budget a tier."""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, NamedTuple, Protocol, TypeVar

from myriad.errors import ModelNotLoadable
from myriad.job import Stage
from myriad.resident import Resident, Tier

# Sizes grow as LoRAs and ControlNets come. Counting them walks every module of a model,
# which costs as much as encoding a prompt: not at each call.
_WEIGH_EVERY_S = 1.0


class Weighty(Protocol):
    """Something loaded: it knows its bytes, whether a request is at it, and how to step aside."""

    @property
    def size_bytes(self) -> int: ...

    @property
    def is_in_use(self) -> bool: ...

    @property
    def can_wait(self) -> bool:
        """Whether it can leave the device and come back."""
        ...

    def leave(self) -> None:
        """Move to host memory."""
        ...

    def come_back(self) -> None:
        """Move to the device again."""
        ...


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


# So long a request sleeps for room before newcomers to the models in its way sleep as well.
# Each such turn costs a swap of models.
PATIENCE_S = 10.0

# Blocks the request until the condition holds; False if nobody is left who could bring it about.
Wait = Callable[[Callable[[], bool]], bool]


class Residency(Generic[Held]):
    """Used on the engine thread alone; only `residents` may be read from elsewhere.

    What must leave the device waits in host memory as far as `host_budget_bytes`
    go. A model that requests are at is not moved: `wait` is asked first, and if
    waiting is no use it is dropped, which leaves it to its requests.
    `on_evict` runs after models left the device and before the next one comes.
    """

    def __init__(
        self,
        budget_bytes: int,
        on_evict: Callable[[], None] = lambda: None,
        *,
        host_budget_bytes: int = 0,
        wait: Wait = lambda is_over: False,
    ) -> None:
        self._budget_bytes, self._host_budget_bytes = budget_bytes, host_budget_bytes
        self._on_evict, self._wait = on_evict, wait
        self._held: OrderedDict[Key, Held] = OrderedDict()
        self._waiting: OrderedDict[Key, Held] = OrderedDict()
        self.residents: tuple[Resident, ...] = ()
        self._sizes: dict[Key, int] = {}
        self._weighed_s = 0.0
        # When each request began to wait for room.
        self._asleep_since: list[float] = []

    @property
    def held(self) -> list[Held]:
        """What is on the device, least recently used first."""
        return list(self._held.values())

    @property
    def names(self) -> tuple[str, ...]:
        """Models on the device, least recently used first; safe on any thread."""
        near = (each.model for each in self.residents if each.tier is Tier.DEVICE)
        return tuple(dict.fromkeys(near))

    def get(self, key: Key, prepare: Callable[[], Loadable[Held]]) -> Held:
        """What is held under `key`, else what `prepare` says, loaded after making room for it.

        Raises:
            ModelNotLoadable: the model alone is larger than the budget.
        """
        if key in self._held and self._is_somebody_starving:
            # A model with steady traffic is never idle: let those who wait for that have it once.
            self._wait(lambda: not self._is_somebody_starving)
        is_new = key not in self._held
        if is_new:
            self._fetch(key, prepare)
        self._held.move_to_end(key)
        self._publish(is_changed=is_new)
        return self._held[key]

    def make_room(self, key: Key, needed_bytes: int) -> None:
        """Let others leave until `key` fits with so many bytes more than it has, if any.

        Raises:
            ModelNotLoadable: even alone it is larger than the budget.
        """
        own_bytes = self._held[key].size_bytes if key in self._held else 0
        if own_bytes + needed_bytes > self._budget_bytes:
            raise ModelNotLoadable(
                f"model {key.model} needs {_mib(own_bytes + needed_bytes)} for its weights, but"
                f" the pool's memory is {_mib(self._budget_bytes)}; raise `memory` in pools.toml"
            )
        is_changed, was_held = False, key in self._held
        while (
            # Whoever went on meanwhile may have brought it, or sent it away.
            (key in self._held) == was_held
            and self._used_bytes() + needed_bytes > self._budget_bytes
        ):
            if self._has_waited(key):
                continue
            # The longest unused that is idle, else whoever there is.
            others = sorted(self._others(key), key=lambda each: self._held[each].is_in_use)
            if not others:
                break
            self._evict(others[0])
            is_changed = True
        if is_changed:
            self._publish()
            self._on_evict()

    def spare(self, key: Key) -> bool:
        """Let every other model that is not in use leave the device; whether any did."""
        idle = [each for each, held in self._held.items() if each != key and not held.is_in_use]
        for victim in idle:
            self._evict(victim)
        if idle:
            self._publish()
            self._on_evict()
        return bool(idle)

    def clear(self) -> None:
        """Drop everything."""
        self._held.clear()
        self._waiting.clear()
        self._publish()
        self._on_evict()

    def _fetch(self, key: Key, prepare: Callable[[], Loadable[Held]]) -> None:
        # Out of its tier first: those who make room for it may take its place there.
        if held := self._waiting.pop(key, None):
            self._make_room_for(key, held)
        else:
            loadable = prepare()
            self.make_room(key, loadable.expected_bytes)
        if key in self._held:
            return  # making room may wait, and another request was faster
        if held:
            held.come_back()
        self._held[key] = held or loadable.load()

    def _make_room_for(self, key: Key, held: Held) -> None:
        try:
            self.make_room(key, held.size_bytes)
        except BaseException:
            self._waiting[key] = held  # the request was ended in the meantime: it stays here
            raise

    def _has_waited(self, key: Key) -> bool:
        """Whether all others were in use, and that is over."""
        others = self._others(key)
        if not others or any(self._is_idle(each) for each in others):
            return False
        began = time.monotonic()
        self._asleep_since.append(began)
        try:
            return self._wait(lambda: any(self._is_idle(each) for each in others))
        finally:
            self._asleep_since.remove(began)

    @property
    def _is_somebody_starving(self) -> bool:
        return any(time.monotonic() - began > PATIENCE_S for began in self._asleep_since)

    def _others(self, key: Key) -> list[Key]:
        return [each for each in self._held if each != key]

    def _is_idle(self, key: Key) -> bool:
        return key not in self._held or not self._held[key].is_in_use

    def _evict(self, key: Key) -> None:
        held = self._held.pop(key)
        if held.is_in_use or not held.can_wait or held.size_bytes > self._host_budget_bytes:
            return
        held.leave()
        self._waiting[key] = held
        while sum(each.size_bytes for each in self._waiting.values()) > self._host_budget_bytes:
            self._waiting.popitem(last=False)

    def _used_bytes(self) -> int:
        return sum(held.size_bytes for held in self._held.values())

    def _publish(self, *, is_changed: bool = True) -> None:
        tiers = ((Tier.DEVICE, self._held), (Tier.HOST, self._waiting))
        if is_changed or time.monotonic() >= self._weighed_s + _WEIGH_EVERY_S:
            self._weighed_s = time.monotonic()
            self._sizes = {
                key: held.size_bytes for _, models in tiers for key, held in models.items()
            }
        # One assignment of a new tuple, so a reader on another thread sees old or new, whole.
        self.residents = tuple(
            Resident(key.model, tier, self._sizes[key]) for tier, models in tiers for key in models
        )


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / 2**20:,.0f} MiB"
