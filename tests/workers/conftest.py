"""Tiny real models, runners over them, and the small pieces a stage is called with."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from myriad.catalog import Catalog, Defaults, Limits, Model
from myriad.job import Stage
from myriad.pool import Pool
from myriad.resolve import resolve
from tests.workers import tiny
from tests.workers.stage import MakeLease, MakeRunner, Parted, make_lease
from workers.batching.policy import EveryRow
from workers.runner import Runner


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A saved model folder by family."""
    root = tmp_path_factory.mktemp("models")
    return {"sd": tiny.save_sd(root / "sd"), "sdxl": tiny.save_sdxl(root / "sdxl")}


@pytest.fixture(scope="session")
def catalog(folders: dict[str, Path]) -> Catalog:
    """One model a family, each named as its family."""
    return Catalog(
        tuple(
            Model(
                name=family,
                family=family,
                source=str(folder),
                max_prompt_tokens=tiny.MAX_TOKENS,
                defaults=Defaults(width=16, height=24, num_inference_steps=3),
                limits=Limits(min_size=16),
            )
            for family, folder in folders.items()
        )
    )


@pytest.fixture(params=["sd", "sdxl"])
def family(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="session")
def stock(folders: dict[str, Path]) -> Callable[[str], Any]:
    """The whole pipeline of a family, as anyone would load it, VAE one image at a time."""
    from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline

    pipes = {
        "sd": StableDiffusionPipeline.from_pretrained(folders["sd"]),
        "sdxl": StableDiffusionXLPipeline.from_pretrained(folders["sdxl"]),
    }
    for pipe in pipes.values():
        pipe.set_progress_bar_config(disable=True)
        pipe.vae.enable_slicing()
    return pipes.__getitem__


@pytest.fixture
def open_runner(catalog: Catalog) -> Iterator[MakeRunner]:
    """Open a runner for some stages; all are closed at the end."""
    opened: list[Runner] = []

    def make(*stages: Stage, models: Catalog = catalog, **pool: Any) -> Runner:
        served = stages or tuple(Stage)
        # Tests that count forward passes must not depend on how fast this machine is.
        opened.append(Runner(models, Pool(name="tiny", stages=served, **pool), policy=EveryRow()))
        return opened[-1]

    yield make
    for runner in opened:
        runner.close()


@pytest.fixture(scope="session")
def parted(catalog: Catalog) -> Iterator[Parted]:
    """Three runners, one a stage, that share nothing."""
    pools = {stage: Pool(name="tiny", stages=(stage,)) for stage in Stage}
    runners = {stage: Runner(catalog, pool) for stage, pool in pools.items()}
    yield runners
    for runner in runners.values():
        runner.close()


@pytest.fixture
def lease(catalog: Catalog) -> MakeLease:
    """A lease on a job of `model` with these params; the rest are the model's defaults."""

    def make(model: str, **asked: Any) -> Any:
        values = {"prompt": "a red cat", "seed": 11, **asked}
        return make_lease(model, resolve(values, catalog[model]))

    return make
