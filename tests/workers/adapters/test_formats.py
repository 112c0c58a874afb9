"""LoRA files as other programs write them: without a config, and with kohya's names and alphas."""

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.utils import convert_all_state_dict_to_peft, convert_state_dict_to_kohya
from safetensors.torch import load_file, save_file

from myriad.adapter import Lora
from myriad.catalog import Catalog
from tests.workers.adapters.asked import denoise
from tests.workers.adapters.conftest import Fresh
from tests.workers.adapters.made import ATTENTION, config, save_lora
from tests.workers.adapters.stock import call_stock
from tests.workers.stage import MakeLease, MakeRunner, make_lease

WHOLE_ATTENTION = ("q_proj", "k_proj", "v_proj", "out_proj")
FILE = "pytorch_lora_weights.safetensors"


def as_kohya(folder: Path) -> Path:
    """The same file under kohya's names: `lora_unet_…`, `lora_te_…`, alphas beside the weights."""
    weights = convert_all_state_dict_to_peft(load_file(folder / FILE))
    renamed: dict[str, Any] = convert_state_dict_to_kohya(weights)
    renamed = {
        key.replace("lora_te1_", "lora_te_text_model_"): value.contiguous()
        for key, value in renamed.items()
    }
    (folder / FILE).unlink()
    for key in [key for key in renamed if key.endswith(".alpha")]:
        renamed[key] = renamed[key] * 3
    file = folder / "kohya.safetensors"
    save_file(renamed, file)
    return file


@pytest.mark.parametrize("form", ["no config", "kohya"])
def test_it_equals_the_stock_pipeline(
    catalog: Catalog,
    fresh: Fresh,
    lease: MakeLease,
    open_runner: MakeRunner,
    tmp_path: Path,
    form: str,
) -> None:
    components = {"unet": config(*ATTENTION), "text_encoder": config(*WHOLE_ATTENTION, r=2)}
    source = save_lora(fresh("sd"), tmp_path / "style", components, seed=3, has_config=False)
    if form == "kohya":
        source = as_kohya(source)
    style = Lora(name="style", source=str(source), models=("sd",))
    offered = Catalog([catalog["sd"]], [style])
    params = lease("sd").params.from_json(
        lease("sd").params.to_json() | {"loras": [{"name": "style", "scale": 0.5}]}
    )
    job = make_lease("sd", params)
    latents = denoise(open_runner(models=offered), job)
    assert torch.equal(latents, call_stock(fresh("sd"), offered, job))
    assert not torch.allclose(latents, call_stock(fresh("sd"), offered, lease("sd")), rtol=1e-2)
