"""The stages themselves: what `tasks` asks of this room."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TypeVar

from torch import Tensor

from myriad.catalog import Catalog
from myriad.job import Stage
from myriad.lease import Lease
from myriad.measured import Measured
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
from workers.downloads import Downloads
from workers.encoding import encode
from workers.engine import Engine
from workers.error import stage_errors
from workers.figures import Figures
from workers.label import Labelling
from workers.ladder import climb, rungs_for
from workers.library import Library
from workers.loaded import LoadedModel
from workers.memory.learned import LearnedRows
from workers.options.disk import remove_orphans
from workers.options.registry import check_options
from workers.picture import PLAIN, make_picture
from workers.preload import begin_to_preload
from workers.preview import drawer
from workers.refining import denoise_and_refine, refiner_params
from workers.safety import Checked
from workers.terms import terms_of
from workers.watch import Draw, Misfit, Watch

Result = TypeVar("Result")


class Runner:
    """One worker's StageRunner: an engine thread, its device and the models it holds.

    `device` overrides the pool's own, `policy` what is learnt of rows that pay;
    `labelling` is how pictures say that they are generated.
    Raises ConfigError if this machine cannot serve the pool.
    """

    def __init__(
        self,
        catalog: Catalog,
        pool: Pool,
        device: str = "",
        policy: RowPolicy | None = None,
        labelling: Labelling = PLAIN,
    ) -> None:
        self._pool, self._labelling = pool, labelling
        self._device = open_device(pool, device)
        check_options(pool, self._device)
        remove_orphans()
        self._figures = Figures(self._device.torch_device)
        self._engine = Engine(
            pool.threads,
            pool.max_rows,
            policy=policy or LearnedRows(self._device.torch_device),
            stopwatch=stopwatch_for(self._device.torch_device),
            free_cache=self._device.free_cache,
            device=self._device.torch_device,
            figures=self._figures,
        )
        self._library = Library(catalog, pool, self._device, self._engine.hub)
        self._downloads = Downloads()

    @property
    def residents(self) -> tuple[Resident, ...]:
        """What is held where, and what lies ready on local disk; safe on any thread."""
        return self._library.residents

    @property
    def held_models(self) -> tuple[str, ...]:
        """Names of the models on the device, least recently used first; safe on any thread."""
        return self._library.names

    def measured(self) -> Measured:
        """What it counted of its work, and its memory; safe on any thread."""
        return self._figures.measured()

    @property
    def forwards(self) -> int:
        """How many shared forward passes have run."""
        return self._engine.hub.forwards

    def preload(self, model: str) -> None:
        """Load `model` now rather than at its first job. Raises StageError."""
        with stage_errors():
            self._downloads.supply(lambda: self._engine.run(lambda: self._library.get(model)))

    def preload_all(self) -> None:
        """Begin to load what the pool names, in its order; failures are logged."""
        begin_to_preload(
            self._pool.preload,
            lambda name: self._engine.submit(lambda: self._library.get(name)),
            self._downloads,
        )

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
            draw = self._drawer(loaded, lease.params, conditions)
            watch = partial(Watch, control, draw, let_others=self._turns(loaded))
            try:
                begun = watch(Checkpoint.load(checkpoint))
                latents = self._denoise(loaded, lease.params, conditions, begun)
            except Misfit:
                latents = self._denoise(loaded, lease.params, conditions, watch())
            return codec.dump({"latents": latents})

        return self._run(Stage.DENOISE, lease, control, work)

    def decode(self, lease: Lease, blob: bytes, control: Control) -> list[Picture]:
        """Latents to encoded pictures, one per seed, in order."""

        def work(loaded: LoadedModel) -> list[Checked]:
            latents = codec.load(blob)["latents"]
            decoded: list[Checked] = []
            for frames in loaded.family.decode(loaded.decoding_pipe, latents, lease.params):
                decoded.append(loaded.checked(frames))
                control.progress(len(decoded), len(latents))
                control.check()
                if loaded.family.decoder is None:
                    self._engine.hub.step_aside()
            return decoded

        decoded = self._run(Stage.DECODE, lease, control, work)
        if flagged := sum(checked.is_flagged for checked in decoded):
            control.note(f"safety checker: {flagged} of {len(decoded)} left blank")
        with stage_errors():  # compressing needs no torch: the engine is free again
            return [
                replace(
                    make_picture(frames, lease.model, lease.params, place, self._labelling),
                    flagged=is_flagged,
                )
                for place, (frames, is_flagged) in enumerate(decoded)
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

        def note(text: str) -> None:
            self._figures.count_rung(text)
            control.note(text)

        def call() -> Result:
            with stage_errors():
                control.check()
                loaded = self._library.get(lease.model)
                control.check()
            with loaded.in_use(), stage_errors():
                return climb(loaded, rungs, lambda: attempt(loaded), note)

        terms = terms_of(stage, lease, control)
        # The engine waits for no hub: this thread does, and others have the engine meanwhile.
        return self._downloads.supply(lambda: self._engine.run(call, terms), control.check)

    def _turns(self, loaded: LoadedModel) -> Callable[[], None]:
        """How a request of the model lets others have theirs at each step."""
        meets = bool(loaded.family.meeting_points)
        return (lambda: None) if meets else self._engine.hub.step_aside

    def _drawer(
        self, loaded: LoadedModel, params: GenerationParams, conditions: Conditions
    ) -> Draw | None:
        """What makes previews; none of a picture that must be looked at first."""
        if loaded.model.safety is not None:
            return None
        return drawer(loaded.family, loaded.pipe, params, conditions.preview)

    def _denoise(
        self, loaded: LoadedModel, params: GenerationParams, conditions: Conditions, watch: Watch
    ) -> Tensor:
        if params.refiner is None:
            return denoise(loaded, params, conditions, watch)
        refiner = self._library.get(params.refiner.model)
        with refiner.in_use():
            return denoise_and_refine(loaded, refiner, params, conditions, watch)
