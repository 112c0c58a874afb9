"""The models of one worker: found in the catalogue, loaded, and made ready to be shared."""

from dataclasses import replace

from myriad.catalog import Catalog
from myriad.errors import ModelUnavailable
from myriad.job import Stage
from myriad.model import Model
from myriad.pool import Pool
from myriad.resident import Resident, Tier
from workers.adapters.additions import Offer
from workers.batching.hub import Hub
from workers.device import Device
from workers.error import is_out_of_memory
from workers.loaded import LoadedModel
from workers.loading import plan
from workers.options.registry import apply_options
from workers.residency import Key, Loadable, Residency
from workers.safety import load_safety_checker, safety_bytes
from workers.source import is_on_disk
from workers.tiny_vae import load_tiny_vae, open_tiny_vae


class Library:
    """Used on the engine thread alone; only `residents` and `names` may be read from elsewhere."""

    def __init__(self, catalog: Catalog, pool: Pool, device: Device, hub: Hub) -> None:
        self._catalog, self._pool, self._device, self._hub = catalog, pool, device, hub
        self._residency: Residency[LoadedModel] = Residency(
            int(pool.memory),
            device.free_cache,
            host_budget_bytes=int(pool.host_memory),
            wait=hub.wait,
        )

    @property
    def residents(self) -> tuple[Resident, ...]:
        """What is held where, and what lies ready on local disk."""
        held = self._residency.residents
        names = {each.model for each in held}
        here = (
            Resident(name, Tier.DISK)
            for name, model in self._catalog.items()
            if name not in names and self._pool.serves(self._pool.stages[0], name)
            if is_on_disk(model)
        )
        return (*held, *here)

    @property
    def names(self) -> tuple[str, ...]:
        """Models on the device, least recently used first."""
        return self._residency.names

    @property
    def held(self) -> list[LoadedModel]:
        """What is on the device, least recently used first."""
        return self._residency.held

    def get(self, name: str) -> LoadedModel:
        """The model of that name, loaded for the pool's stages.

        Raises ModelUnavailable and ModelNotLoadable; torch's own error out of memory; Absent.
        """
        models = {**self._catalog, **self._catalog.refiners}
        if name not in models:
            raise ModelUnavailable(f"model {name} is not in this worker's catalogue")
        key, model = self._key(name), models[name]
        try:
            return self._residency.get(key, lambda: self._plan(model))
        except Exception as error:
            if not is_out_of_memory(error) or not self._residency.spare(key):
                raise
        return self._residency.get(key, lambda: self._plan(model))

    def spare(self, name: str) -> bool:
        """Let other models that are not in use leave the device; whether any did."""
        return self._residency.spare(self._key(name))

    def _key(self, name: str) -> Key:
        return Key(name, self._pool.stages)

    def _plan(self, model: Model) -> Loadable[LoadedModel]:
        planned = plan(model, self._pool.stages, self._pool, self._device, self._settle_in)
        if self._has_tiny_vae:
            open_tiny_vae(model)  # is it at hand? Not when all else has been loaded.
        beside_bytes = safety_bytes(model, self._device) if self._checks(model) else 0
        return replace(planned, beside_bytes=beside_bytes)

    @property
    def _has_tiny_vae(self) -> bool:
        """Whether pictures are decoded with one here."""
        return self._pool.tiny_vae and Stage.DECODE in self._pool.stages

    def _checks(self, model: Model) -> bool:
        """Whether pictures of the model are looked at here."""
        return model.safety is not None and Stage.DECODE in self._pool.stages

    def _settle_in(self, loaded: LoadedModel) -> None:
        """Give it the pool's options, and let requests share its forward passes."""
        apply_options(loaded.family, loaded.pipe, self._pool, self._device, loaded.model.name)
        loaded.can_wait = _can_move(self._pool)
        if self._has_tiny_vae:
            loaded.tiny_vae = load_tiny_vae(loaded.model, self._device)
        if self._checks(loaded.model):
            loaded.safety_checker = load_safety_checker(loaded.model, self._device)
        key = self._key(loaded.model.name)
        loaded.offer(
            Offer(
                loras=self._catalog.loras_of(loaded.model),
                controlnets=self._catalog.controlnets_of(loaded.model),
                max_bytes=int(self._pool.memory) // 4,
                make_room=lambda needed_bytes: self._residency.make_room(key, needed_bytes),
                park=self._hub.park_point,
            )
        )
        if Stage.DENOISE in self._pool.stages:
            self._meet_at_denoisers(loaded)
        decoder, spec = loaded.decoder, loaded.family.decoder
        if Stage.DECODE in self._pool.stages and decoder is not None and spec is not None:
            self._hub.park_point(decoder, spec, method="decode")

    def _meet_at_denoisers(self, loaded: LoadedModel) -> None:
        for name, spec in loaded.family.meeting_points.items():
            if (module := getattr(loaded.pipe, name)) is not None:
                put_on = loaded.additions.wearer(name).put_on
                self._hub.park_point(module, spec, put_on)


def _can_move(pool: Pool) -> bool:
    """Whether weights may leave the device and come back: not packed, hooked or compiled ones."""
    return pool.offload == "none" and pool.precision not in ("fp8", "int8") and not pool.compile
