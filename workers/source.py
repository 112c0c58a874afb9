"""From a catalogue entry to a local folder that is safe to load: weights only, never code."""

import json
import math
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Final

import torch
from diffusers.utils.constants import DIFFUSERS_DISABLE_REMOTE_CODE
from huggingface_hub import snapshot_download
from safetensors import safe_open

from myriad.catalog import Model
from myriad.errors import ModelNotLoadable, ModelUnavailable

_INDEX: Final = "model_index.json"
_LIBRARIES: Final = {None, "diffusers", "transformers", "stable_diffusion"}
_UNSAFE: Final = {
    **dict.fromkeys((".bin", ".ckpt", ".pkl", ".pickle", ".pt", ".pth"), "a pickle"),
    **dict.fromkeys((".py", ".so", ".dll", ".dylib"), "code"),
}
# The plain weights of a component, whole or in shards, not its fp16 or EMA variants.
_WEIGHTS: Final = ("model", "diffusion_pytorch_model")


def open_folder(model: Model, pipeline: str, parts: Collection[str]) -> Path:
    """The folder of `model`, downloaded if need be, holding the components `parts`.

    Raises:
        ModelNotLoadable: it cannot be had, is not a `pipeline`, or could run code.
    """
    if not DIFFUSERS_DISABLE_REMOTE_CODE:
        raise ModelNotLoadable("diffusers was imported with remote code allowed")
    _check_index(model, _fetch(model, [_INDEX]) / _INDEX, pipeline)
    folder = _fetch(model, [pattern for part in parts for pattern in _patterns(part)])
    is_ours = Path(model.source).is_dir()
    for file in folder.rglob("*") if is_ours else _files(folder, parts):
        _check_file(model, file)
    return folder


def weights_bytes(folder: Path, parts: Collection[str], dtype: torch.dtype) -> int:
    """Bytes the weights of `parts` take once loaded as `dtype`, read from their headers."""
    return dtype.itemsize * sum(
        _elements(file) for file in _files(folder, parts) if _is_plain_weights(file)
    )


def vae_config(folder: Path) -> dict[str, Any]:
    """The VAE's own config, there even where its weights are not."""
    config: dict[str, Any] = json.loads((folder / "vae" / "config.json").read_text("utf-8"))
    return config


def _fetch(model: Model, patterns: list[str]) -> Path:
    local = Path(model.source)
    if local.is_dir():
        return local
    try:
        return Path(
            snapshot_download(
                model.source,
                revision=model.revision,
                allow_patterns=patterns,
                ignore_patterns=["*.fp16*", "*.bf16*", "*.non_ema*"],
            )
        )
    except Exception as error:  # the hub's client raises errors of many libraries
        raise ModelUnavailable(
            f"model {model.name}: {model.source} could not be had from the Hugging Face hub"
            f" ({type(error).__name__}). Set HF_ENDPOINT to a mirror you can reach, or put the"
            " model's local folder as `source` in the catalogue"
        ) from error


def _patterns(part: str) -> Iterator[str]:
    if part == "vae_config":
        yield "vae/config.json"
        return
    yield from (f"{part}/*.{ending}" for ending in ("json", "txt"))
    yield from (f"{part}/{name}*.safetensors" for name in _WEIGHTS)


def _check_index(model: Model, path: Path, pipeline: str) -> None:
    try:
        index = json.loads(path.read_text("utf-8"))
        found = index["_class_name"]
        libraries = {value[0] for value in index.values() if isinstance(value, list)}
    except (OSError, ValueError, LookupError, AttributeError, TypeError) as error:
        raise ModelNotLoadable(
            f"model {model.name}: its folder has no {_INDEX} that can be read"
        ) from error
    if found != pipeline:
        raise ModelNotLoadable(
            f"model {model.name}: its folder holds a {found}, but family {model.family}"
            f" takes a {pipeline}"
        )
    if foreign := libraries - _LIBRARIES:
        raise ModelNotLoadable(
            f"model {model.name}: {_INDEX} asks for custom code ({', '.join(sorted(foreign))})"
        )


def _files(folder: Path, parts: Collection[str]) -> list[Path]:
    return [file for part in parts for file in sorted((folder / part).glob("*"))]


def _check_file(model: Model, file: Path) -> None:
    if kind := _UNSAFE.get(file.suffix.lower()):
        raise ModelNotLoadable(
            f"model {model.name}: {file.name} in folder {file.parent.name} is {kind};"
            " only safetensors weights are loaded. Remove it or use a folder without it"
        )
    if file.name.endswith("config.json") and _asks_for_code(file):
        raise ModelNotLoadable(
            f"model {model.name}: {file.parent.name}/{file.name} has an auto_map: it asks to run"
            " the model's own code, which is never done"
        )


def _asks_for_code(config: Path) -> bool:
    try:
        values = json.loads(config.read_text("utf-8"))
    except ValueError:
        return False  # loading it will fail, and say why
    return '"auto_map"' in json.dumps(values)  # written anew: no escapes to hide behind


def _is_plain_weights(file: Path) -> bool:
    name, _, shard = file.stem.partition("-")
    return file.suffix == ".safetensors" and name in _WEIGHTS and "." not in shard


def _elements(file: Path) -> int:
    with safe_open(file, framework="pt") as weights:
        return sum(math.prod(weights.get_slice(name).get_shape()) for name in weights.keys())  # noqa: SIM118
