"""The LoRAs of a loaded model: loaded on demand, worn for one request, kept within bounds."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

from torch import nn

from myriad.adapter import Lora
from myriad.errors import ModelNotLoadable
from workers.adapters.fit import misfits
from workers.adapters.load_errors import load_errors
from workers.adapters.lora import LoraFile, Part
from workers.adapters.shelf import Shelf
from workers.adapters.wearer import Variant, Wearer
from workers.adapters.weights_file import open_lora
from workers.device import Device
from workers.shell import Pipeline

MAX_KEPT: Final = 16
_TOLD: Final = 3

Scales = Mapping[str, float]


@dataclass(frozen=True)
class Held:
    """A LoRA in the model, under a name that peft takes, in these components."""

    name: str
    components: tuple[str, ...]
    size_bytes: int


Scaled = tuple[Held, float]


class Loras:
    """Used on the engine thread alone. `denoisers` are the components where requests meet.

    `options` tells what the pipeline's `lora_state_dict` must know; `make_room` is
    asked for bytes before a LoRA goes in. Those not in use are let go beyond
    `MAX_KEPT` or `max_bytes`, least recently used first.
    """

    def __init__(
        self,
        pipe: Pipeline,
        denoisers: Collection[str],
        device: Device,
        *,
        max_bytes: int,
        make_room: Callable[[int], None],
        options: Callable[[Pipeline], Mapping[str, Any]],
    ) -> None:
        self._pipe, self._device = pipe, device
        self._options, self._make_room = options, make_room
        self._denoisers = frozenset(denoisers)
        # Of pipelines that know LoRAs, the components that may have one.
        self._known: tuple[str, ...] = tuple(getattr(pipe, "_lora_loadable_modules", ()))
        self._shelf: Shelf[Held] = Shelf(MAX_KEPT, max_bytes, self._remove)
        self._wearers: dict[str, Wearer] = {}
        self._numbers = count(1)

    @property
    def held(self) -> tuple[str, ...]:
        """Catalogue names of those loaded, least recently used first."""
        return tuple(self._shelf.held)

    def wearer(self, component: str) -> Wearer:
        """Whoever puts LoRAs on the component of that name."""
        if component not in self._wearers:
            self._wearers[component] = Wearer(getattr(self._pipe, component), self._device)
        return self._wearers[component]

    @contextmanager
    def for_denoising(self, loras: Mapping[str, Lora], scales: Scales) -> Iterator[Variant | None]:
        """The variant that a request's forward passes are to wear; None if that is none.

        Scales are by catalogue name. Equal sets make equal variants, in whatever
        order they were named.
        """
        with self._in_use(loras, scales) as held:
            yield self._variant(held, self._denoisers) or None

    @contextmanager
    def for_encoding(self, loras: Mapping[str, Lora], scales: Scales) -> Iterator[None]:
        """The text encoders wear a request's LoRAs until the block ends; nothing may park in it."""
        with self._in_use(loras, scales) as held:
            others = [name for name in self._loadable() if name not in self._denoisers]
            try:
                for name in others:
                    self.wearer(name).put_on(self._variant(held, {name}))
                yield
            finally:
                for name in others:
                    self.wearer(name).put_on(())

    @contextmanager
    def _in_use(self, loras: Mapping[str, Lora], scales: Scales) -> Iterator[list[Scaled]]:
        # Without a weight it changes nothing, and its request need not be kept from others.
        wanted = [name for name in sorted(scales) if scales[name]]
        with self._shelf.use(wanted, lambda name: self._load(loras[name])) as held:
            yield [(each, scales[name]) for name, each in zip(wanted, held, strict=True)]

    def _variant(self, held: list[Scaled], components: Collection[str]) -> Variant:
        wanted = frozenset(components)
        return tuple(
            (each.name, scale) for each, scale in held if wanted.intersection(each.components)
        )

    def _load(self, lora: Lora) -> Held:
        with load_errors(lora):
            parts = self._parts(lora)
            name = f"adapter{next(self._numbers)}x"
            held = Held(name, tuple(parts), _bytes(parts))
            self._make_room(held.size_bytes)
            try:
                for component, part in parts.items():
                    self.wearer(component).add(name, part)
            except BaseException:
                self._remove(held)
                raise
            return held

    def _parts(self, lora: Lora) -> dict[str, Part]:
        """What it has for the components that are loaded here, all of it found to fit."""
        file = LoraFile.read(open_lora(lora), self._pipe, self._options(self._pipe))
        foreign = set(file.components).difference(self._known)
        if foreign:
            keys = [key for key in file.weights if key.partition(".")[0] in foreign]
            raise ModelNotLoadable(_misfit(lora, [f"no component takes {key}" for key in keys]))
        loadable = self._loadable()
        parts = {
            name: file.part(name, loadable[name]) for name in file.components if name in loadable
        }
        found = [
            text for name, part in parts.items() for text in misfits(part.weights, loadable[name])
        ]
        if found:
            raise ModelNotLoadable(_misfit(lora, found))
        return parts

    def _loadable(self) -> dict[str, nn.Module]:
        """Components that are here and may have LoRAs, by name."""
        modules = {name: getattr(self._pipe, name, None) for name in self._known}
        return {name: part for name, part in modules.items() if isinstance(part, nn.Module)}

    def _remove(self, held: Held) -> None:
        for component in held.components:
            self.wearer(component).remove(held.name)


def _misfit(lora: Lora, found: list[str]) -> str:
    more = f" and {len(found) - _TOLD} more" if len(found) > _TOLD else ""
    told = "; ".join(found[:_TOLD])
    return f"lora {lora.name} does not fit the model it is asked for: {told}{more}"


def _bytes(parts: Mapping[str, Part]) -> int:
    return sum(value.nbytes for part in parts.values() for value in part.weights.values())
