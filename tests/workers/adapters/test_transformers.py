"""LoRAs on the transformer families, by the same code: as in the stock pipeline, and off again."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from myriad.adapter import Lora
from myriad.catalog import Catalog, Model
from myriad.family import FAMILIES
from myriad.job import Stage
from myriad.pool import Pool
from myriad.resolve import resolve
from tests.workers.adapters.conftest import let_share
from tests.workers.adapters.made import TEXT, config, save_lora
from tests.workers.adapters.stock import load_loras
from tests.workers.adapters.test_together import denoise_together
from tests.workers.families.stock import call_stock
from tests.workers.families.tiny import TINY
from tests.workers.stage import make_lease
from workers.families import find_family
from workers.runner import Runner

TRANSFORMERS = [name for name in TINY if FAMILIES[name].has_loras and name not in ("sd", "sdxl")]


@pytest.fixture(params=TRANSFORMERS)
def family(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def folder(family: str, tmp_path: Path) -> Path:
    return TINY[family].save(tmp_path / "model")


def load_stock(family: str, folder: Path) -> Any:
    pipe = find_family(family).pipeline.from_pretrained(folder)
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.fixture
def catalog(family: str, folder: Path, tmp_path: Path) -> Catalog:
    """The family's tiny model with a LoRA `style`, also for the text encoder where it may be."""
    pipe, known = load_stock(family, folder), TINY[family]
    components = {"transformer": config("to_q", "to_v", "proj_out")}
    if "text_encoder" in pipe._lora_loadable_modules:
        components["text_encoder"] = config(*TEXT, r=2)
    source = save_lora(pipe, tmp_path / "style", components, seed=0)
    model = Model(
        name=family,
        family=family,
        source=str(folder),
        defaults=known.defaults,
        limits=known.limits,
    )
    return Catalog([model], [Lora(name="style", source=str(source), models=(family,))])


@pytest.fixture
def runner(catalog: Catalog) -> Iterator[Runner]:
    opened = let_share(Runner(catalog, Pool(name="tiny", stages=tuple(Stage), max_rows=64)))
    yield opened
    opened.close()


def test_beside_a_plain_request_both_equal_the_stock_pipeline(
    family: str, folder: Path, catalog: Catalog, runner: Runner
) -> None:
    asked: list[dict[str, Any]] = [{}, {"loras": [{"name": "style", "scale": 0.7}]}]
    jobs = [
        make_lease(
            family, resolve({"prompt": "a cat", "seed": 1, **each}, catalog[family], catalog)
        )
        for each in asked
    ]
    plain, styled = denoise_together(runner, jobs)
    pipe = load_stock(family, folder)
    assert torch.equal(plain, call_stock(pipe, jobs[0], "latent"))
    load_loras(pipe, catalog, {"style": 0.7})
    assert torch.equal(styled, call_stock(pipe, jobs[1], "latent"))
    assert not torch.allclose(plain, styled, rtol=1e-2)
