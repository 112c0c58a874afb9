"""A catalogue of all families' tiny models, runners over it, and the stock pipelines."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from myriad.catalog import Catalog, Model
from myriad.job import Stage
from myriad.pool import Pool
from myriad.resolve import resolve
from tests.workers.families.tiny import TINY
from tests.workers.stage import MakeLease, MakeRunner, Parted, make_lease
from workers.batching.policy import EveryRow
from workers.families import find_family
from workers.runner import Runner


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a family's tiny model, saved when first asked for."""
    root = tmp_path_factory.mktemp("families")
    return cache(lambda family: TINY[family].save(root / family))


@pytest.fixture(params=list(TINY))
def family(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="session")
def catalog(saved: Callable[[str], Path]) -> Callable[[str], Catalog]:
    """A catalogue of a family's one model, which has its name."""

    def make(family: str) -> Catalog:
        known = TINY[family]
        model = Model(
            name=family,
            family=family,
            source=str(saved(family)),
            defaults=known.defaults,
            limits=known.limits,
        )
        return Catalog([model])

    return cache(make)


@pytest.fixture(scope="session")
def stock(saved: Callable[[str], Path]) -> Callable[[str], Any]:
    """The whole pipeline of a family, as anyone would load it, VAE one image at a time."""

    def load(family: str) -> Any:
        pipe = find_family(family).pipeline.from_pretrained(saved(family))
        pipe.set_progress_bar_config(disable=True)
        pipe.vae.enable_slicing()
        return pipe

    return cache(load)


@pytest.fixture
def open_runner(catalog: Callable[[str], Catalog], family: str) -> Iterator[MakeRunner]:
    """Open a runner of the family's model for some stages; all are closed at the end."""
    opened: list[Runner] = []

    def make(*stages: Stage, **pool: Any) -> Runner:
        served = stages or tuple(Stage)
        pool_here = Pool(name="tiny", stages=served, **pool)
        # Whether sharing pays here is a matter of time, and of no interest to these tests.
        opened.append(Runner(catalog(family), pool_here, policy=EveryRow()))
        return opened[-1]

    yield make
    for runner in opened:
        runner.close()


@pytest.fixture(scope="session")
def all_parted(catalog: Callable[[str], Catalog]) -> Iterator[Callable[[str], Parted]]:
    """Three runners for a family, one a stage, that share nothing; kept for other tests."""
    opened: dict[str, Parted] = {}

    def open_three(family: str) -> Parted:
        if family not in opened:
            opened[family] = {
                stage: Runner(catalog(family), Pool(name="tiny", stages=(stage,)))
                for stage in Stage
            }
        return opened[family]

    yield open_three
    for runners in opened.values():
        for runner in runners.values():
            runner.close()


@pytest.fixture
def parted(all_parted: Callable[[str], Parted], family: str) -> Parted:
    """The family's three runners."""
    return all_parted(family)


@pytest.fixture
def lease(catalog: Callable[[str], Catalog]) -> MakeLease:
    """A lease on a job of `model` with these params; the rest are the model's defaults."""

    def make(model: str, **asked: Any) -> Any:
        values = {"prompt": "a red cat", "seed": 11, **asked}
        return make_lease(model, resolve(values, catalog(model)[model]))

    return make
