"""What does not fit or is not safe is refused by name, and the model stays as it was."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from myriad.adapter import ControlNet, Lora
from myriad.catalog import Catalog
from myriad.errors import ModelNotLoadable, ModelUnavailable
from myriad.job import Stage
from myriad.params import ControlNetUse, LoraUse
from myriad.pool import Pool
from tests.workers.adapters.asked import denoise
from tests.workers.adapters.conftest import Fresh
from tests.workers.adapters.spoilt import CONTROLNETS, LORAS
from tests.workers.adapters.stock import EDGES_DIGEST, call_stock
from tests.workers.stage import MakeLease, make_lease
from workers.runner import Runner

AWAY = "nobody/has-such-a-repository"


@pytest.fixture(scope="module")
def spoilt(adapted: Catalog, tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """The `sd` model with every addition that it must refuse, numbered."""
    root = tmp_path_factory.mktemp("spoilt")
    loras, nets = [], []
    for number, spoil in enumerate(LORAS.values()):
        folder = Path(shutil.copytree(adapted.loras["sd-style"].source, root / f"l{number}"))
        spoil(folder)
        loras.append(Lora(name=f"l{number}", source=str(folder), models=("sd",)))
    for number, spoil in enumerate(CONTROLNETS.values()):
        folder = Path(shutil.copytree(adapted.controlnets["sd-edges"].source, root / f"n{number}"))
        spoil(folder)
        nets.append(ControlNet(name=f"n{number}", source=str(folder), models=("sd",)))
    loras.append(Lora(name="away", source=AWAY, revision="0" * 40, models=("sd",)))
    nets.append(ControlNet(name="away", source=AWAY, revision="0" * 40, models=("sd",)))
    return Catalog([adapted["sd"]], loras, nets)


@pytest.fixture(scope="module")
def runner(spoilt: Catalog) -> Iterator[Runner]:
    opened = Runner(spoilt, Pool(name="tiny", stages=tuple(Stage)))
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def _stays_as_it_was(
    runner: Runner, adapted: Catalog, lease: MakeLease, fresh: Fresh
) -> Iterator[None]:
    model = runner._engine.run(lambda: runner._library.get("sd"))
    unet, size_bytes = list(model.pipe.unet.state_dict()), model.size_bytes
    yield
    assert model.additions.held == ()
    assert list(model.pipe.unet.state_dict()) == unet
    assert model.size_bytes == size_bytes


def ask(
    runner: Runner, lease: MakeLease, lora: str | None = None, net: str | None = None
) -> torch.Tensor:
    """Denoise with an addition that a door may have let pass."""
    added = {
        "loras": (LoraUse(name=lora),) if lora else (),
        "controlnets": (ControlNetUse(model=net, image=EDGES_DIGEST),) if net else (),
    }
    return denoise(runner, make_lease("sd", lease("sd").params.model_copy(update=added)))


@pytest.mark.parametrize(("number", "said"), list(enumerate(LORAS)))
def test_a_wrong_lora_is_refused(runner: Runner, lease: MakeLease, number: int, said: str) -> None:
    with pytest.raises(ModelNotLoadable, match=rf"(?s)lora l{number}\b.*{said}") as refused:
        ask(runner, lease, lora=f"l{number}")
    assert refused.value.field == "loras"


@pytest.mark.parametrize(("number", "said"), list(enumerate(CONTROLNETS)))
def test_a_wrong_controlnet_is_refused(
    runner: Runner, lease: MakeLease, number: int, said: str
) -> None:
    with pytest.raises(ModelNotLoadable, match=rf"(?s)controlnet n{number}\b.*{said}") as refused:
        ask(runner, lease, net=f"n{number}")
    assert refused.value.field == "controlnets"


def test_what_cannot_be_had_may_be_elsewhere(runner: Runner, lease: MakeLease) -> None:
    for added in ({"lora": "away"}, {"net": "away"}, {"lora": "unheard"}, {"net": "unheard"}):
        with pytest.raises(ModelUnavailable, match=r"away|unheard"):
            ask(runner, lease, **added)


def test_after_all_that_it_draws_as_ever(
    runner: Runner, adapted: Catalog, lease: MakeLease, fresh: Fresh
) -> None:
    assert torch.equal(ask(runner, lease), call_stock(fresh("sd"), adapted, lease("sd")))
