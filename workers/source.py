"""From a catalogue entry to a local folder that is safe to load: weights only, never code."""

import json
import math
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Final

import torch
from diffusers.utils.constants import DIFFUSERS_DISABLE_REMOTE_CODE
from huggingface_hub import snapshot_download, try_to_load_from_cache
from safetensors import safe_open
from torch import Tensor

from myriad.catalog import Model
from myriad.errors import ModelNotLoadable, ModelUnavailable
from myriad.weights import Weights

_INDEX: Final = "model_index.json"
_LIBRARIES: Final = {None, "diffusers", "transformers", "stable_diffusion"}
_UNSAFE: Final = {
    **dict.fromkeys((".bin", ".ckpt", ".pkl", ".pickle", ".pt", ".pth"), "a pickle"),
    **dict.fromkeys((".py", ".so", ".dll", ".dylib"), "code"),
}
_SIGNS_OF_CODE: Final = {
    '"auto_map": ': "an auto_map",
    '"custom_pipeline": "': "a custom_pipeline",
    '"trust_remote_code": true': "trust_remote_code",
}
# The plain weights of a component, whole or in shards, not its fp16 or EMA variants.
_WEIGHTS: Final = ("model", "diffusion_pytorch_model")


def open_folder(model: Model, pipeline: str, parts: Collection[str]) -> Path:
    """The folder of `model`, downloaded if need be, holding the components `parts`.

    Raises:
        ModelNotLoadable: it cannot be had, is not a `pipeline`, or could run code.
    """
    _check_index(model, fetch(model, [_INDEX]) / _INDEX, pipeline)
    return open_parts(model, parts)


def open_parts(model: Model, parts: Collection[str]) -> Path:
    """Its folder, holding `parts`, once nothing in it could run code. Raises ModelNotLoadable."""
    if not DIFFUSERS_DISABLE_REMOTE_CODE:
        raise ModelNotLoadable("diffusers was imported with remote code allowed")
    folder = fetch(model, [pattern for part in parts for pattern in _patterns(part)])
    is_ours = Path(model.source).is_dir()
    for file in folder.rglob("*") if is_ours else _files(folder, parts):
        check_file(model, file)
    return folder


def is_on_disk(model: Model) -> bool:
    """Whether its folder, or its pinned snapshot in the hub's cache, is on this machine."""
    if Path(model.source).is_dir():
        return True
    found = try_to_load_from_cache(model.source, _INDEX, revision=model.revision)
    return isinstance(found, str)


def weights_bytes(folder: Path, parts: Collection[str], dtype: torch.dtype) -> int:
    """Bytes the weights of `parts` take once loaded as `dtype`, read from their headers."""
    return dtype.itemsize * sum(
        _elements(file) for file in _files(folder, parts) if _is_plain_weights(file)
    )


def vae_config(folder: Path) -> dict[str, Any]:
    """The VAE's own config, there even where its weights are not."""
    config: dict[str, Any] = json.loads((folder / "vae" / "config.json").read_text("utf-8"))
    return config


def pipeline_settings(folder: Path) -> set[str]:
    """Names of what a pipeline is told beside its components."""
    index = json.loads((folder / _INDEX).read_text("utf-8"))
    return {name for name, value in index.items() if not isinstance(value, list)}


def vae_tensors(folder: Path, names: Collection[str]) -> dict[str, Tensor]:
    """Those of the VAE's weights, without reading the others."""
    found: dict[str, Tensor] = {}
    for file in _files(folder, ["vae"]) if names else ():
        if _is_plain_weights(file):
            with safe_open(file, framework="pt") as weights:
                held = set(names).intersection(weights.keys())
                found |= {name: weights.get_tensor(name) for name in held}
    return found


def fetch(entry: Weights, patterns: list[str]) -> Path:
    """Its folder, or from a hub the files of these patterns. Raises ModelUnavailable."""
    local = Path(entry.source)
    if local.is_dir():
        return local
    try:
        return Path(
            snapshot_download(
                entry.source,
                revision=entry.revision,
                allow_patterns=patterns,
                ignore_patterns=["*.fp16*", "*.bf16*", "*.non_ema*"],
            )
        )
    except Exception as error:  # the hub's client raises errors of many libraries
        raise ModelUnavailable(
            f"{called(entry)}: {entry.source} could not be had from the Hugging Face hub"
            f" ({type(error).__name__}). Set HF_ENDPOINT to a mirror you can reach, or put the"
            " model's local folder as `source` in the catalogue"
        ) from error


def _patterns(part: str) -> Iterator[str]:
    if part == "vae_config":
        yield "vae/config.json"
        return
    yield from (f"{part}/*.{ending}" for ending in ("json", "txt", "jinja"))
    yield from (f"{part}/{name}*.safetensors" for name in _WEIGHTS)


def _check_index(model: Model, path: Path, pipeline: str) -> None:
    try:
        index = json.loads(path.read_text("utf-8"))
        found = index["_class_name"]
        libraries = {value[0] for value in index.values() if isinstance(value, list)}
    except (OSError, ValueError, LookupError, AttributeError, TypeError, RecursionError) as error:
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


def check_file(entry: Weights, file: Path) -> None:
    """Raise ModelNotLoadable for a file that could run code."""
    if kind := _UNSAFE.get(file.suffix.lower()):
        raise ModelNotLoadable(
            f"{called(entry)}: {file.name} in folder {file.parent.name} is {kind};"
            " only safetensors weights are loaded. Remove it or use a folder without it"
        )
    is_config = file.name.endswith(("config.json", _INDEX))
    if is_config and (asked := _asks_for_code(file)):
        raise ModelNotLoadable(
            f"{called(entry)}: {file.parent.name}/{file.name} has {asked}: it asks to run"
            " the model's own code, which is never done"
        )


def called(entry: Weights) -> str:
    """An entry of the catalogue in a message: 'lora sketch'."""
    return f"{type(entry).__name__.lower()} {entry.name}"


def _asks_for_code(config: Path) -> str:
    """What in it asks to run code, in words; empty: nothing."""
    try:
        values = json.loads(config.read_text("utf-8"))
        text = json.dumps(values)  # written anew: no escapes to hide behind
    except (ValueError, RecursionError):
        return ""  # loading it will fail, and say why
    return next((said for sign, said in _SIGNS_OF_CODE.items() if sign in text), "")


def _is_plain_weights(file: Path) -> bool:
    name, _, shard = file.stem.partition("-")
    return file.suffix == ".safetensors" and name in _WEIGHTS and "." not in shard


def _elements(file: Path) -> int:
    with safe_open(file, framework="pt") as weights:
        return sum(math.prod(weights.get_slice(name).get_shape()) for name in weights.keys())  # noqa: SIM118
