"""Only safetensors of the right family are loaded; nothing in a folder ever runs."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from huggingface_hub import constants

from myriad.catalog import Catalog, Model
from myriad.errors import ModelNotLoadable, ModelUnavailable
from myriad.job import Stage
from tests.workers.stage import MakeRunner
from workers.families import find_family

Preload = Callable[..., None]
COMMIT = "0" * 40
PICKLE = b"cos\nsystem\n(S'true'\ntR."


@pytest.fixture
def folder(folders: dict[str, Path], tmp_path: Path) -> Path:
    """A copy of the sd model that a test may spoil."""
    return copytree(folders["sd"], tmp_path / "copy")


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub's client, which asks nobody (`HF_HUB_OFFLINE`)."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


@pytest.fixture
def preload(open_runner: MakeRunner) -> Preload:
    def load(source: Path | str, *stages: Stage, **entry: Any) -> None:
        model = Model(**{"name": "copy", "family": "sd", "source": str(source), **entry})
        open_runner(*stages, models=Catalog((model,))).preload("copy")

    return load


def edit_json(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.mark.parametrize("name", ["unet/weights.bin", "old.ckpt", "vae/x.PT", "a/b/c.pkl"])
def test_a_folder_with_a_pickle_is_refused(folder: Path, preload: Preload, name: str) -> None:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(PICKLE)
    with pytest.raises(ModelNotLoadable, match=f"{file.name} in folder .* is a pickle"):
        preload(folder)


def test_other_formats_in_a_hubs_snapshot_are_left_alone(
    hub: Path, folder: Path, preload: Preload
) -> None:
    snapshot = copytree(folder, hub / "models--nobody--copy" / "snapshots" / COMMIT)
    for name in ("unet/openvino_model.bin", "text_encoder/pytorch_model.bin", "weights.ckpt"):
        (snapshot / name).write_bytes(PICKLE)
    preload("nobody/copy", revision=COMMIT)
    (snapshot / "text_encoder" / "adapter_model.bin").write_bytes(PICKLE)
    with pytest.raises(ModelNotLoadable, match=r"adapter_model\.bin in folder .* is a pickle"):
        preload("nobody/copy", revision=COMMIT)


def test_a_pickle_among_the_shards_is_refused(hub: Path, folder: Path, preload: Preload) -> None:
    snapshot = copytree(folder, hub / "models--nobody--copy" / "snapshots" / COMMIT)
    (snapshot / "unet" / "pytorch_model.bin").write_bytes(PICKLE)
    for name in ("pytorch_model.bin", "../evil.safetensors"):
        index = {"metadata": {}, "weight_map": {"conv_in.weight": name}}
        path = snapshot / "unet" / "diffusion_pytorch_model.safetensors.index.json"
        path.write_text(json.dumps(index))
        with pytest.raises(ModelNotLoadable, match=f"names '{name}'"):
            preload("nobody/copy", revision=COMMIT)


@pytest.mark.parametrize("name", ["unet/modeling.py", "pipeline.py", "kernel.so"])
def test_a_folder_with_code_is_refused(folder: Path, preload: Preload, name: str) -> None:
    (folder / name).write_text("raise SystemExit")
    with pytest.raises(ModelNotLoadable, match="is code"):
        preload(folder)


@pytest.mark.parametrize("name", ["unet/config.json", "tokenizer/tokenizer_config.json"])
def test_an_auto_map_is_refused(folder: Path, preload: Preload, name: str) -> None:
    edit_json(folder / name, auto_map={"AutoModel": "evil--modeling.Evil"})
    with pytest.raises(ModelNotLoadable, match="auto_map"):
        preload(folder)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"_class_name": "FluxPipeline"}, "holds a FluxPipeline, but family sd takes a Stable"),
        ({"_class_name": ["my_pipeline", "Mine"]}, "family sd takes"),
        ({"unet": ["my_unet", "Mine"]}, r"custom code \(my_unet\)"),
    ],
)
def test_an_index_that_does_not_suit_the_family_is_refused(
    folder: Path, preload: Preload, values: dict[str, Any], reason: str
) -> None:
    edit_json(folder / "model_index.json", **values)
    with pytest.raises(ModelNotLoadable, match=reason):
        preload(folder)


def test_a_folder_without_an_index_is_refused(tmp_path: Path, preload: Preload) -> None:
    with pytest.raises(ModelNotLoadable, match=r"has no model_index\.json that can be read"):
        preload(tmp_path)


def test_missing_weights_are_named(folder: Path, preload: Preload) -> None:
    for file in (folder / "unet").glob("*.safetensors"):
        file.unlink()
    with pytest.raises(ModelNotLoadable, match="model copy cannot be loaded: ") as found:
        preload(folder, Stage.DENOISE)
    assert str(folder) not in found.value.message
    preload(folder, Stage.ENCODE)


def test_damaged_weights_are_named(folder: Path, preload: Preload) -> None:
    [file] = (folder / "unet").glob("*.safetensors")
    file.write_bytes(file.read_bytes()[:5000])
    with pytest.raises(ModelNotLoadable, match="model copy cannot be loaded: Safetensor"):
        preload(folder)


def test_a_hidden_auto_map_is_refused(folder: Path, preload: Preload) -> None:
    config = folder / "unet" / "config.json"
    config.write_text(config.read_text().replace("{", '{"auto\\u005fmap": {},', 1))
    with pytest.raises(ModelNotLoadable, match="auto_map"):
        preload(folder)


def test_an_unknown_family_is_named() -> None:
    with pytest.raises(ModelNotLoadable, match="no family 'dalle'; there are: sd, sdxl"):
        find_family("dalle")


def test_remote_code_is_off_whatever_the_environment_says() -> None:
    name = "DIFFUSERS_DISABLE_REMOTE_CODE"
    program = f"import os, workers; print(os.environ[{name!r}])"
    environment = {**os.environ, name: "false"}
    result = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert result.stdout == "1\n"


def test_an_unreachable_hub_says_what_to_do(preload: Preload) -> None:
    with pytest.raises(ModelUnavailable, match=r"HF_ENDPOINT to a mirror.*local folder"):
        preload("nobody/nothing", revision="0" * 40)


def test_a_model_larger_than_the_pools_memory_is_refused_before_it_loads(
    catalog: Catalog, open_runner: MakeRunner
) -> None:
    runner = open_runner(Stage.DENOISE, memory=100_000)
    with pytest.raises(ModelNotLoadable, match=r"raise `memory` in pools\.toml"):
        runner.preload("sd")
    assert runner.held_models == ()
