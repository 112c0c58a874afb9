"""A catalogue of tiny models with LoRAs and ControlNets, and stock pipelines to compare with."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import diffusers
import pytest

from myriad.adapter import ControlNet, Lora
from myriad.catalog import Catalog
from myriad.job import Stage
from myriad.lease import Lease
from myriad.pool import Pool
from myriad.resolve import resolve
from tests.workers.adapters.made import ATTENTION, TEXT, config, save_controlnet, save_lora
from tests.workers.stage import MakeLease, MakeRunner, make_lease
from workers.batching.policy import EveryRow
from workers.runner import Runner

Fresh = Callable[[str], Any]


@pytest.fixture(scope="session")
def fresh(folders: dict[str, Path]) -> Fresh:
    """A stock pipeline nobody has touched, each time."""

    def load(family: str) -> Any:
        pipe = diffusers.DiffusionPipeline.from_pretrained(folders[family])
        pipe.set_progress_bar_config(disable=True)
        return pipe

    return load


@pytest.fixture(scope="session")
def adapted(catalog: Catalog, fresh: Fresh, tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """The models; of each, LoRAs `…-style` (with text), `…-line`, `…-words` and two nets."""
    root = tmp_path_factory.mktemp("adapters")
    loras, nets = [], []
    for family in ("sd", "sdxl"):
        text = {"text_encoder": config(*TEXT, r=2, alpha=2)}
        if family == "sdxl":
            text["text_encoder_2"] = config("v_proj", "out_proj", r=2, alpha=3)
        made = {
            "style": {"unet": config(*ATTENTION), **text},
            "line": {"unet": config("to_q", "conv1", "ff.net.2", r=2, alpha=8)},
            "words": text,
        }
        for seed, (name, components) in enumerate(made.items()):
            folder = save_lora(fresh(family), root / f"{family}-{name}", components, seed)
            loras.append(Lora(name=f"{family}-{name}", source=str(folder), models=(family,)))
        for seed, name in enumerate(("edges", "depth")):
            folder = save_controlnet(fresh(family).unet, root / f"{family}-{name}", seed)
            nets.append(ControlNet(name=f"{family}-{name}", source=str(folder), models=(family,)))
    return Catalog([*catalog.values(), *catalog.refiners.values()], loras, nets)


@pytest.fixture
def adapted_lease(adapted: Catalog) -> MakeLease:
    """A lease on a job of `model`, which may name what `adapted` has."""

    def make(model: str, **asked: Any) -> Lease:
        values = {"prompt": "a red cat", "seed": 11, **asked}
        return make_lease(model, resolve(values, adapted[model], adapted))

    return make


@pytest.fixture
def adapted_runner(adapted: Catalog, open_runner: MakeRunner) -> MakeRunner:
    """Opens runners over `adapted` that let every row share."""

    def make(*stages: Any, models: Catalog = adapted, **pool: Any) -> Runner:
        return let_share(open_runner(*stages, models=models, **{"max_rows": 64, **pool}))

    return make


@pytest.fixture(scope="session")
def shared_runner(adapted: Catalog) -> Iterator[Runner]:
    """One of all stages for every test that leaves no more behind than any request does."""
    pool = Pool(name="tiny", stages=tuple(Stage), max_rows=64)
    runner = let_share(Runner(adapted, pool))
    yield runner
    runner.close()


def let_share(runner: Runner) -> Runner:
    """With the policy that has no opinion on what is worth it."""
    runner._engine.hub._batcher.policy = EveryRow()
    return runner
