"""The stages themselves: what `tasks` asks of this room."""

from collections.abc import Callable
from typing import TypeVar

from PIL.Image import Image

from myriad.catalog import Catalog
from myriad.errors import ModelUnavailable, OutOfMemory
from myriad.job import Stage
from myriad.lease import Lease
from myriad.pool import Pool
from tasks.runner import Control, Picture
from workers import blob as codec
from workers.device import open_device
from workers.engine import Engine
from workers.error import stage_errors
from workers.families.base import finite
from workers.loading import LoadedModel, plan
from workers.picture import make_picture
from workers.residency import Key, Residency

Result = TypeVar("Result")


class Runner:
    """One worker's StageRunner: an engine thread, its device and the models it holds.

    `device` overrides the pool's own. Raises ConfigError if this machine cannot
    serve the pool.
    """

    def __init__(self, catalog: Catalog, pool: Pool, device: str = "") -> None:
        self._catalog = catalog
        self._pool = pool
        self._device = open_device(pool, device)
        self._residency: Residency[LoadedModel] = Residency(
            int(pool.memory), self._device.free_cache
        )
        self._engine = Engine(pool.threads, pool.max_rows)

    @property
    def held_models(self) -> tuple[str, ...]:
        """Names of the models in memory, least recently used first; safe on any thread."""
        return self._residency.names

    @property
    def forwards(self) -> int:
        """How many shared forward passes have run."""
        return self._engine.hub.forwards

    def preload(self, model: str) -> None:
        """Load `model` now rather than at its first job. Raises StageError."""
        with stage_errors():
            self._engine.run(lambda: self._loaded(model))

    def encode(self, lease: Lease, control: Control) -> bytes:
        """Prompt to embeddings, as one blob. Raises PromptTooLong beside the usual."""

        def work(loaded: LoadedModel) -> bytes:
            loaded.family.check_length(loaded.pipe, lease.params)
            device = loaded.device.torch_device
            embeds = loaded.family.encode(loaded.pipe, lease.params, device)
            for name, tensor in embeds.items():
                if tensor is not None:
                    finite(tensor, name)
            control.progress(1, 1)
            return codec.dump(embeds)

        return self._run(lease, control, work)

    def denoise(self, lease: Lease, blob: bytes, control: Control) -> bytes:
        """Embeddings to latents, as one blob; stops within one step of being told."""

        def on_step(done: int, total: int) -> None:
            control.progress(done, total)
            control.check()

        def work(loaded: LoadedModel) -> bytes:
            embeds = codec.load(blob)
            latents = loaded.family.denoise(loaded.pipe, lease.params, embeds, on_step)
            return codec.dump({"latents": latents})

        return self._run(lease, control, work)

    def decode(self, lease: Lease, blob: bytes, control: Control) -> list[Picture]:
        """Latents to encoded pictures, one per seed, in order."""

        def work(loaded: LoadedModel) -> list[Image]:
            latents = codec.load(blob)["latents"]
            images: list[Image] = []
            for image in loaded.family.decode(loaded.pipe, latents):
                images.append(image)
                control.progress(len(images), len(latents))
                control.check()
            return images

        images = self._run(lease, control, work)
        with stage_errors():  # compressing needs no torch: the engine is free again
            return [
                make_picture(image, lease.model, lease.params, place)
                for place, image in enumerate(images)
            ]

    def close(self) -> None:
        """End the engine thread after the call it is in; waiting stages raise ShuttingDown."""
        self._engine.close()

    def _run(self, lease: Lease, control: Control, work: Callable[[LoadedModel], Result]) -> Result:
        def call() -> Result:
            try:
                with stage_errors():
                    control.check()
                    loaded = self._loaded(lease.model)
                    control.check()
                    return work(loaded)
            except OutOfMemory:
                self._device.free_cache()
                raise

        return self._engine.run(call)

    def _loaded(self, name: str) -> LoadedModel:
        """On the engine thread: the model `name`, loaded for this pool's stages."""
        if name not in self._catalog:
            raise ModelUnavailable(f"model {name} is not in this worker's catalogue")
        key = Key(name, self._pool.stages)
        model = self._catalog[name]
        return self._residency.get(key, lambda: plan(model, key.stages, self._device, self._meet))

    def _meet(self, loaded: LoadedModel) -> None:
        """Let requests share this model's forward passes, if the pool batches."""
        if self._pool.max_rows == 1 or Stage.DENOISE not in self._pool.stages:
            return
        for name, spec in loaded.family.meeting_points.items():
            self._engine.hub.park_point(getattr(loaded.pipe, name), spec)
