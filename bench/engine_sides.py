"""Three ways to draw the same pictures in one process: the engine, and two without it."""

import io
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

import torch
from diffusers import StableDiffusionPipeline

from myriad.catalog import Catalog, load_catalog
from myriad.job import Stage
from myriad.lease import Lease
from myriad.pool import Pool
from myriad.resolve import resolve
from workers.runner import Runner

SLOTS = 16


@dataclass(frozen=True)
class Work:
    """One picture to draw."""

    prompt: str
    seed: int
    steps: int = 20
    size: int = 128


@dataclass
class Done:
    """When each piece of work was over, in seconds since the start, and the forward passes."""

    ended_s: dict[int, float] = field(default_factory=dict)
    forwards: int = 0


class Side(Protocol):
    """Draws all of `work`, piece i not before `arrivals[i]` seconds from now."""

    name: str

    def draw(self, work: Sequence[Work], arrivals: Sequence[float]) -> Done: ...


class NullControl:
    """Nobody watches, nobody stops."""

    def check(self) -> None: ...
    def progress(self, done: int, total: int) -> None: ...
    def wants_preview(self) -> bool:
        return False

    def preview(self, image: bytes) -> None: ...
    def wants_checkpoint(self) -> bool:
        return False

    def checkpoint(self, blob: bytes) -> None: ...
    def note(self, text: str) -> None: ...


class EngineSide:
    """Myriad's engine with all three stages, as one worker of a laptop's pool runs them."""

    name = "engine"

    def __init__(self, threads: int, max_rows: int = 32) -> None:
        self._catalog: Catalog = load_catalog()
        pool = Pool(
            name="bench",
            stages=tuple(Stage),
            threads=threads,
            max_rows=max_rows,
            channels_last=True,  # as the laptop's pool has it, and the next
            linear="auto",
        )
        self.runner = Runner(self._catalog, pool)
        self.runner.preload(self._catalog.default.name)

    def draw(self, work: Sequence[Work], arrivals: Sequence[float]) -> Done:
        before, done, start_s = self.runner.forwards, Done(), time.perf_counter()

        def one(number: int) -> None:
            _sleep_until(start_s + arrivals[number])
            self._one(work[number])
            done.ended_s[number] = time.perf_counter() - start_s

        with ThreadPoolExecutor(SLOTS) as slots:
            list(slots.map(one, range(len(work))))
        done.forwards = self.runner.forwards - before
        return done

    def denoise_rows_per_second(self, work: Sequence[Work]) -> float:
        """Rows a second of the denoise stage alone, guidance counted as a row."""
        leases, control = [self._lease(each) for each in work], NullControl()
        conditions = [self.runner.encode(lease, {}, control) for lease in leases]
        start_s = time.perf_counter()
        with ThreadPoolExecutor(len(work)) as slots:
            list(
                slots.map(
                    lambda pair: self.runner.denoise(*pair, control),
                    zip(leases, conditions, strict=True),
                )
            )
        return 2 * sum(each.steps for each in work) / (time.perf_counter() - start_s)

    def close(self) -> None:
        self.runner.close()

    def _one(self, work: Work) -> None:
        lease, control = self._lease(work), NullControl()
        conditions = self.runner.encode(lease, {}, control)
        latents = self.runner.denoise(lease, conditions, control)
        self.runner.decode(lease, latents, control)

    def _lease(self, work: Work) -> Lease:
        model = self._catalog.default
        asked = {
            "prompt": work.prompt,
            "seed": work.seed,
            "num_inference_steps": work.steps,
            "width": work.size,
            "height": work.size,
        }
        return Lease(
            job_id=f"bench-{work.seed}",
            stage=Stage.ENCODE,
            attempt=1,
            tries=1,
            rewinds=0,
            model=model.name,
            params=resolve(asked, model, self._catalog),
            artifact_key=None,
            owner="bench",
            created_at=datetime.now(UTC),
            metadata={},
        )


class StockSide:
    """The stock pipeline on a thread of its own; `batch` of equal size at a time."""

    def __init__(self, threads: int, batch: int = 1) -> None:
        self.name = "stock" if batch == 1 else f"static batches of {batch}"
        self._batch = batch
        self._thread = ThreadPoolExecutor(1)
        self._thread.submit(torch.set_num_threads, threads).result()
        model = load_catalog().default
        self.pipe: Any = StableDiffusionPipeline.from_pretrained(model.source, dtype=torch.float32)
        self.pipe.set_progress_bar_config(disable=True)
        self._guidance_scale = model.defaults.guidance_scale

    def draw(self, work: Sequence[Work], arrivals: Sequence[float]) -> Done:
        return self.run(lambda: self._draw(work, arrivals))

    def run(self, call: Callable[[], Any]) -> Any:
        """Anything on this side's thread, with its number of torch threads."""
        return self._thread.submit(call).result()

    def close(self) -> None:
        self._thread.shutdown()

    def _draw(self, work: Sequence[Work], arrivals: Sequence[float]) -> Done:
        done, start_s, waiting = Done(), time.perf_counter(), list(range(len(work)))
        while waiting:
            _sleep_until(start_s + arrivals[waiting[0]])
            group = self._group(work, arrivals, waiting, time.perf_counter() - start_s)
            self._call([work[number] for number in group])
            done.forwards += work[group[0]].steps
            for number in group:
                waiting.remove(number)
                done.ended_s[number] = time.perf_counter() - start_s
        return done

    def _group(
        self, work: Sequence[Work], arrivals: Sequence[float], waiting: list[int], now_s: float
    ) -> list[int]:
        """The oldest, and those that came by now and are of its size and steps."""
        first = work[waiting[0]]
        alike = [
            number
            for number in waiting
            if arrivals[number] <= now_s
            and (work[number].steps, work[number].size) == (first.steps, first.size)
        ]
        return alike[: self._batch] or waiting[:1]

    def _call(self, work: Sequence[Work]) -> None:
        images = self.pipe(
            [each.prompt for each in work],
            height=work[0].size,
            width=work[0].size,
            num_inference_steps=work[0].steps,
            guidance_scale=self._guidance_scale,
            generator=[torch.Generator("cpu").manual_seed(each.seed) for each in work],
        ).images
        for image in images:
            image.save(io.BytesIO(), "PNG")


def _sleep_until(moment_s: float) -> None:
    time.sleep(max(0.0, moment_s - time.perf_counter()))
