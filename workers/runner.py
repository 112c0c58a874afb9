"""The stages themselves: what `tasks` asks of this room."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from typing import TypeVar

import structlog
from torch import Tensor

from myriad.catalog import Catalog
from myriad.job import Stage
from myriad.lease import Lease
from myriad.params import GenerationParams
from myriad.pool import Pool
from myriad.resident import Resident
from tasks.runner import Control, Picture
from workers import blob as codec
from workers.batching.policy import RowPolicy
from workers.batching.stopwatch import stopwatch_for
from workers.checkpoint import Checkpoint
from workers.conditions import Conditions
from workers.denoising import denoise
from workers.device import open_device
from workers.encoding import encode
from workers.engine import Engine
from workers.error import short, stage_errors
from workers.families.base import Frames
from workers.ladder import climb, rungs_for
from workers.library import Library
from workers.loaded import LoadedModel
from workers.memory.learned import LearnedRows
from workers.options.registry import check_options
from workers.picture import make_picture
from workers.preview import drawer
from workers.refining import denoise_and_refine, refiner_params
from workers.terms import terms_of
from workers.watch import Misfit, Watch

Result = TypeVar("Result")

_log = structlog.get_logger(__name__)


class Runner:
    """One worker's StageRunner: an engine thread, its device and the models it holds.

    `device` overrides the pool's own, `policy` what is learnt of rows that pay.
    Raises ConfigError if this machine cannot serve the pool.
    """

    def __init__(
        self, catalog: Catalog, pool: Pool, device: str = "", policy: RowPolicy | None = None
    ) -> None:
        self._pool = pool
        self._device = open_device(pool, device)
        check_options(pool, self._device)
        self._engine = Engine(
            pool.threads,
            pool.max_rows,
            policy=policy or LearnedRows(self._device.torch_device),
            stopwatch=stopwatch_for(self._device.torch_device),
            free_cache=self._device.free_cache,
            device=self._device.torch_device,
        )
        self._library = Library(catalog, pool, self._device, self._engine.hub)

    @property
    def residents(self) -> tuple[Resident, ...]:
        """What is held where, and what lies ready on local disk; safe on any thread."""
        return self._library.residents

    @property
    def held_models(self) -> tuple[str, ...]:
        """Names of the models on the device, least recently used first; safe on any thread."""
        return self._library.names

    @property
    def forwards(self) -> int:
        """How many shared forward passes have run."""
        return self._engine.hub.forwards

    def preload(self, model: str) -> None:
        """Load `model` now rather than at its first job. Raises StageError."""
        with stage_errors():
            self._engine.run(lambda: self._library.get(model))

    def preload_all(self) -> None:
        """Begin to load what the pool names, in its order; failures are logged."""
        for name in self._pool.preload:
            loading = self._engine.submit(lambda name=name: self._library.get(name))  # type: ignore[misc]
            loading.add_done_callback(partial(_log_preload, name))

    def encode(self, lease: Lease, inputs: Mapping[str, bytes], control: Control) -> bytes:
        """Prompt and `inputs` to embeddings and encodings, as one blob.

        Raises PromptTooLong beside the usual.
        """

        def work(loaded: LoadedModel) -> bytes:
            conditions = encode(loaded, lease.params, inputs)
            if use := lease.params.refiner:
                own = encode(self._library.get(use.model), refiner_params(lease.params), {})
                conditions = replace(conditions, refiner=own.embeds)
            control.progress(1, 1)
            return conditions.dump()

        return self._run(Stage.ENCODE, lease, control, work)

    def denoise(
        self, lease: Lease, blob: bytes, control: Control, checkpoint: bytes | None = None
    ) -> bytes:
        """Embeddings to latents, as one blob; stops within one step of being told."""

        def work(loaded: LoadedModel) -> bytes:
            conditions = Conditions.load(blob)
            draw = drawer(loaded.family, loaded.pipe, lease.params, conditions.preview)
            try:
                watch = Watch(control, draw, Checkpoint.load(checkpoint))
                latents = self._denoise(loaded, lease.params, conditions, watch)
            except Misfit:
                watch = Watch(control, draw)
                latents = self._denoise(loaded, lease.params, conditions, watch)
            return codec.dump({"latents": latents})

        return self._run(Stage.DENOISE, lease, control, work)

    def decode(self, lease: Lease, blob: bytes, control: Control) -> list[Picture]:
        """Latents to encoded pictures, one per seed, in order."""

        def work(loaded: LoadedModel) -> list[Frames]:
            latents = codec.load(blob)["latents"]
            decoded: list[Frames] = []
            for frames in loaded.family.decode(loaded.decoding_pipe, latents, lease.params):
                decoded.append(frames)
                control.progress(len(decoded), len(latents))
                control.check()
            return decoded

        decoded = self._run(Stage.DECODE, lease, control, work)
        with stage_errors():  # compressing needs no torch: the engine is free again
            return [
                make_picture(frames, lease.model, lease.params, place)
                for place, frames in enumerate(decoded)
            ]

    def close(self) -> None:
        """End the engine thread after the call it is in; waiting stages raise ShuttingDown."""
        self._engine.close()

    def _run(
        self, stage: Stage, lease: Lease, control: Control, work: Callable[[LoadedModel], Result]
    ) -> Result:
        rungs = rungs_for(stage, lambda: self._library.spare(lease.model))

        def attempt(loaded: LoadedModel) -> Result:
            with stage_errors():
                return work(loaded)

        def call() -> Result:
            with stage_errors():
                control.check()
                loaded = self._library.get(lease.model)
                control.check()
            with loaded.in_use():
                return climb(loaded, rungs, lambda: attempt(loaded), control.note)

        return self._engine.run(call, terms_of(stage, lease, control))

    def _denoise(
        self, loaded: LoadedModel, params: GenerationParams, conditions: Conditions, watch: Watch
    ) -> Tensor:
        if params.refiner is None:
            return denoise(loaded, params, conditions, watch)
        refiner = self._library.get(params.refiner.model)
        with refiner.in_use():
            return denoise_and_refine(loaded, refiner, params, conditions, watch)


def _log_preload(name: str, loading: "Future[LoadedModel]") -> None:
    if error := loading.exception():
        _log.warning("not_preloaded", model=name, error=short(error))
    else:
        _log.info("preloaded", model=name)
