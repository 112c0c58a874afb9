"""The stages themselves: what `tasks` asks of this room."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TypeVar

import structlog
from torch import Tensor

from myriad import clock
from myriad.catalog import Catalog
from myriad.errors import ModelUnavailable
from myriad.job import Stage
from myriad.lease import Lease
from myriad.model import Model
from myriad.params import GenerationParams
from myriad.pool import Pool
from myriad.resident import Resident, Tier
from tasks.runner import Control, Picture
from workers import blob as codec
from workers.adapters.additions import Offer
from workers.batching.policy import RowPolicy
from workers.batching.request import Terms
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
from workers.loaded import LoadedModel
from workers.loading import plan
from workers.memory.learned import LearnedRows
from workers.options.registry import apply_options, check_options
from workers.picture import make_picture
from workers.preview import drawer
from workers.refining import denoise_and_refine
from workers.residency import Key, Loadable, Residency
from workers.source import is_on_disk
from workers.tiny_vae import load_tiny_vae
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
        self._catalog = catalog
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
        self._residency: Residency[LoadedModel] = Residency(
            int(pool.memory),
            self._device.free_cache,
            host_budget_bytes=int(pool.host_memory),
            wait=self._engine.hub.wait,
        )

    @property
    def held_models(self) -> tuple[str, ...]:
        """Names of the models on the device, least recently used first; safe on any thread."""
        return self._residency.names

    @property
    def residents(self) -> tuple[Resident, ...]:
        """What is held where, and what lies ready on local disk; safe on any thread."""
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
    def forwards(self) -> int:
        """How many shared forward passes have run."""
        return self._engine.hub.forwards

    def preload(self, model: str) -> None:
        """Load `model` now rather than at its first job. Raises StageError."""
        with stage_errors():
            self._engine.run(lambda: self._loaded(model))

    def preload_all(self) -> None:
        """Begin to load what the pool names, in its order; failures are logged."""
        for name in self._pool.preload:
            loading = self._engine.submit(lambda name=name: self._loaded(name))  # type: ignore[misc]
            loading.add_done_callback(partial(_log_preload, name))

    def encode(self, lease: Lease, inputs: Mapping[str, bytes], control: Control) -> bytes:
        """Prompt and `inputs` to embeddings and encodings, as one blob.

        Raises PromptTooLong beside the usual.
        """

        def work(loaded: LoadedModel) -> bytes:
            conditions = encode(loaded, lease.params, inputs)
            if use := lease.params.refiner:
                own = encode(self._loaded(use.model), _refiner_params(lease.params), {})
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
        key = Key(lease.model, self._pool.stages)
        rungs = rungs_for(stage, lambda: self._residency.spare(key))

        def attempt(loaded: LoadedModel) -> Result:
            with stage_errors():
                return work(loaded)

        def call() -> Result:
            with stage_errors():
                control.check()
                loaded = self._loaded(lease.model)
                control.check()
            with loaded.in_use():
                return climb(loaded, rungs, lambda: attempt(loaded), control.note)

        return self._engine.run(call, _terms(stage, lease, control))

    def _denoise(
        self, loaded: LoadedModel, params: GenerationParams, conditions: Conditions, watch: Watch
    ) -> Tensor:
        if params.refiner is None:
            return denoise(loaded, params, conditions, watch)
        refiner = self._loaded(params.refiner.model)
        with refiner.in_use():
            return denoise_and_refine(loaded, refiner, params, conditions, watch)

    def _loaded(self, name: str) -> LoadedModel:
        """On the engine thread: the model `name`, loaded for this pool's stages."""
        models = {**self._catalog, **self._catalog.refiners}
        if name not in models:
            raise ModelUnavailable(f"model {name} is not in this worker's catalogue")
        key = Key(name, self._pool.stages)
        model = models[name]
        return self._residency.get(key, lambda: self._plan(model))

    def _plan(self, model: Model) -> Loadable[LoadedModel]:
        is_offloaded = self._pool.offload != "none"
        return plan(
            model, self._pool.stages, self._device, self._settle_in, is_offloaded=is_offloaded
        )

    def _settle_in(self, loaded: LoadedModel) -> None:
        """Give it the pool's options, and let requests share its forward passes."""
        apply_options(loaded.family, loaded.pipe, self._pool, self._device, loaded.model.name)
        loaded.can_wait = self._pool.offload == "none" and not self._pool.compile
        if self._pool.tiny_vae and Stage.DECODE in self._pool.stages:
            loaded.tiny_vae = load_tiny_vae(loaded.model, self._device)
        key = Key(loaded.model.name, self._pool.stages)
        loaded.offer(
            Offer(
                loras=self._catalog.loras_of(loaded.model),
                controlnets=self._catalog.controlnets_of(loaded.model),
                max_bytes=int(self._pool.memory) // 4,
                make_room=lambda needed_bytes: self._residency.make_room(key, needed_bytes),
                park=self._engine.hub.park_point,
            )
        )
        if Stage.DENOISE in self._pool.stages:
            self._meet_at_denoisers(loaded)
        decoder, spec = loaded.decoder, loaded.family.decoder
        if Stage.DECODE in self._pool.stages and decoder is not None and spec is not None:
            self._engine.hub.park_point(decoder, spec, method="decode")

    def _meet_at_denoisers(self, loaded: LoadedModel) -> None:
        for name, spec in loaded.family.meeting_points.items():
            if (module := getattr(loaded.pipe, name)) is not None:
                put_on = loaded.additions.wearer(name).put_on
                self._engine.hub.park_point(module, spec, put_on)


def _log_preload(name: str, loading: "Future[LoadedModel]") -> None:
    if error := loading.exception():
        _log.warning("not_preloaded", model=name, error=short(error))
    else:
        _log.info("preloaded", model=name)


def _refiner_params(params: GenerationParams) -> GenerationParams:
    """What of a request its refiner is told: the words, and nothing that belongs to the base."""
    return params.model_copy(
        update={"refiner": None, "loras": (), "controlnets": (), "image": None, "mask": None}
    )


def _terms(stage: Stage, lease: Lease, control: Control) -> Terms:
    params = lease.params
    return Terms(
        steps=params.num_inference_steps if stage is Stage.DENOISE else params.num_images,
        deadline=_on_this_clock(lease.deadline_at),
        reproducible=lease.params.reproducible,
        on_notice=control.note,
        check=control.check,
    )


def _on_this_clock(moment: datetime | None) -> float | None:
    """A date as a moment of `time.monotonic()`."""
    if moment is None:
        return None
    return time.monotonic() + (moment - clock.now()).total_seconds()
