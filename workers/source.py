"""From a catalogue entry to a local folder that is safe to load: weights only, never code."""

import json
import math
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Final

import torch
from diffusers.utils.constants import DIFFUSERS_DISABLE_REMOTE_CODE
from huggingface_hub import try_to_load_from_cache
from safetensors import safe_open
from torch import Tensor

from myriad.catalog import Model
from myriad.errors import ModelNotLoadable
from myriad.weights import Weights
from workers.downloads import Files, find

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
_ADAPTER: Final = "adapter_config.json"
_SHARDS: Final = ".safetensors.index.json"
# What a whole snapshot of a hub has beside the safetensors: never read, whatever an index names.
_OTHER_FORMATS: Final = ("pytorch_model", "diffusion_pytorch_model", "openvino_model")
# The plain weights of a component, whole or in shards, not its fp16 or EMA variants.
_WEIGHTS: Final = ("model", "diffusion_pytorch_model")


def open_folder(model: Model, pipeline: str, parts: Collection[str]) -> Path:
    """The folder of `model`, holding the components `parts`.

    Raises:
        Absent: files of it must be downloaded first.
        ModelNotLoadable: it is not a `pipeline`, or could run code.
    """
    _check_index(model, fetch(model, [_INDEX]) / _INDEX, pipeline)
    return open_parts(model, parts)


def open_parts(model: Model, parts: Collection[str]) -> Path:
    """Its folder, holding `parts`, in which nothing could run code. Raises ModelNotLoadable."""
    if not DIFFUSERS_DISABLE_REMOTE_CODE:
        raise ModelNotLoadable("diffusers was imported with remote code allowed")
    folder = fetch(model, [pattern for part in parts for pattern in _patterns(part)])
    is_ours = Path(model.source).is_dir()
    for file in folder.rglob("*") if is_ours else _files(folder, parts):
        if file.name == _ADAPTER:  # transformers would load the model that it names
            raise ModelNotLoadable(
                f"{called(model)}: {file.parent.name}/{_ADAPTER} asks for another model;"
                " remove it, or make the adapter a LoRA of the catalogue"
            )
        if is_ours or not _is_other_format(file):
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


def fetch(entry: Weights, patterns: Collection[str]) -> Path:
    """Its folder, or where its files of these patterns lie in the hub's cache.

    Raises Absent where they must be downloaded first, which is not for this thread to wait for.
    """
    local = Path(entry.source)
    if local.is_dir():
        return local
    return find(Files(called(entry), entry.source, entry.revision, tuple(patterns)))


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
    if file.name.endswith(_SHARDS) and (named := _other_shard(file)):
        raise ModelNotLoadable(
            f"{called(entry)}: {file.parent.name}/{file.name} names {named!r};"
            " only safetensors weights are loaded"
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


def _is_other_format(file: Path) -> bool:
    return file.suffix == ".bin" and file.name.startswith(_OTHER_FORMATS)


def _other_shard(index: Path) -> str:
    """A file in it that is not safetensors weights beside it; empty: none."""
    try:
        named = set(json.loads(index.read_text("utf-8"))["weight_map"].values())
    except (ValueError, LookupError, AttributeError, TypeError, RecursionError):
        return ""  # loading it will fail, and say why
    return next((str(each) for each in named if not _is_shard(each)), "")


def _is_shard(name: Any) -> bool:
    return isinstance(name, str) and Path(name).name == name and name.endswith(".safetensors")


def _is_plain_weights(file: Path) -> bool:
    name, _, shard = file.stem.partition("-")
    return file.suffix == ".safetensors" and name in _WEIGHTS and "." not in shard


def _elements(file: Path) -> int:
    with safe_open(file, framework="pt") as weights:
        return sum(math.prod(weights.get_slice(name).get_shape()) for name in weights.keys())  # noqa: SIM118
