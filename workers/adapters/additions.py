"""What a request adds to a loaded model: its LoRAs worn, its ControlNets at hand."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from torch import nn

from myriad.adapter import Adapter, ControlNet, Lora
from myriad.errors import ModelUnavailable
from myriad.model import Model
from myriad.params import GenerationParams
from workers.adapters.controlnets import ControlNets
from workers.adapters.loras import Loras
from workers.adapters.wearer import Variant, Wearer
from workers.batching.call import CallSpec
from workers.batching.request import current_request
from workers.device import Device
from workers.families.base import Family
from workers.shell import Pipeline

Added = TypeVar("Added", bound=Adapter)


@dataclass(frozen=True)
class Offer:
    """What requests for a model may name, and the terms on which it is loaded.

    `max_bytes` bounds what is kept for later of LoRAs, and of ControlNets. `make_room`
    is asked for bytes; `park` lets requests meet at a module.
    """

    loras: Mapping[str, Lora] = field(default_factory=dict)
    controlnets: Mapping[str, ControlNet] = field(default_factory=dict)
    max_bytes: int = 2**30
    make_room: Callable[[int], None] = lambda needed_bytes: None
    park: Callable[[nn.Module, CallSpec], None] = lambda module, spec: None


class Additions:
    """Used on the engine thread alone."""

    def __init__(
        self, model: Model, family: Family, pipe: Pipeline, device: Device, offer: Offer
    ) -> None:
        self._model, self._offer = model, offer
        self._denoisers = tuple(family.meeting_points)
        self._loras = Loras(
            pipe,
            self._denoisers,
            device,
            max_bytes=offer.max_bytes,
            make_room=offer.make_room,
            options=family.lora_options,
        )
        self._controlnets = ControlNets(
            lambda: family.denoiser(pipe).config,
            device,
            max_bytes=offer.max_bytes,
            make_room=offer.make_room,
            on_load=lambda net: offer.park(net, family.controlnet),
        )

    @property
    def held(self) -> tuple[str, ...]:
        """Names of the LoRAs and ControlNets in memory."""
        return (*self._loras.held, *self._controlnets.held)

    @property
    def size_bytes(self) -> int:
        """What ControlNets take; LoRAs are part of the components that they are in."""
        return self._controlnets.size_bytes

    def drop_controlnets(self) -> None:
        """Let go of those not in use: the model is leaving the device."""
        self._controlnets.clear()

    def wearer(self, component: str) -> Wearer:
        """Whoever puts LoRAs on the component of that name."""
        return self._loras.wearer(component)

    @contextmanager
    def in_encoding(self, params: GenerationParams) -> Iterator[None]:
        """The text encoders wear the request's LoRAs until the block ends.

        Raises ModelNotLoadable or ModelUnavailable.
        """
        with self._loras.for_encoding(self._entries(params), _scales(params)):
            yield

    @contextmanager
    def in_denoising(self, params: GenerationParams) -> Iterator[Any]:
        """The request's forward passes wear its LoRAs; yields its ControlNets, if any.

        Raises ModelNotLoadable or ModelUnavailable.
        """
        names = [use.model for use in params.controlnets]
        offered = self._offer.controlnets
        nets = [_find(name, offered, self._model, "controlnets") for name in names]
        with (
            self._loras.for_denoising(self._entries(params), _scales(params)) as variant,
            self._controlnets.use(nets) as steering,
            self._worn(variant),
        ):
            yield steering

    @contextmanager
    def _worn(self, variant: Variant | None) -> Iterator[None]:
        """The hub changes over before each forward pass; without one, here and now."""
        request = current_request()
        if request is None:
            self._put_on(variant)
            yield
            self._put_on(None)
            return
        before, request.variant = request.variant, variant
        try:
            yield
        finally:
            request.variant = before

    def _put_on(self, variant: Variant | None) -> None:
        for name in self._denoisers:
            self.wearer(name).put_on(variant)

    def _entries(self, params: GenerationParams) -> dict[str, Lora]:
        names = [use.name for use in params.loras]
        return {name: _find(name, self._offer.loras, self._model, "loras") for name in names}


def _scales(params: GenerationParams) -> dict[str, float]:
    return {use.name: use.scale for use in params.loras}


def _find(name: str, offered: Mapping[str, Added], model: Model, field: str) -> Added:
    if name not in offered:
        raise ModelUnavailable(
            f"{name}, to be added to model {model.name}, is not in this worker's catalogue",
            field=field,
        )
    return offered[name]
