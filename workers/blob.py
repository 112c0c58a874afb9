"""What travels between stages: a tree of values and tensors as one safetensors blob."""

import json
import zlib
from collections.abc import Iterable, Mapping
from typing import Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from myriad.errors import ArtifactMissing

# A worker of another release may not read this one's blobs; the job then rewinds.
_FORMAT: Final = "1"
_ENTRY: Final = "myriad"
_TENSOR: Final = "$tensor"
_CHANNELS_LAST: Final = {4: torch.channels_last, 5: torch.channels_last_3d}


def dump(tree: Any) -> bytes:
    """Serialise dicts with string keys, lists, JSON scalars and tensors of any dtype.

    Tensors come back on the CPU with their dtype and memory format; tuples come
    back as lists. Raises TypeError for anything else.
    """
    tensors: dict[str, Tensor] = {}
    text = json.dumps(_strip(tree, tensors))
    # One entry, since safetensors writes several in no fixed order: equal trees, equal bytes.
    header = " ".join((_FORMAT, _checksum(text, tensors.values()), text))
    return save_tensors(tensors, {_ENTRY: header})


def load(blob: bytes) -> Any:
    """The tree that was dumped. Raises ArtifactMissing for a damaged or foreign blob."""
    try:
        tensors = load_tensors(blob)
        release, checksum, text = _header(blob).split(" ", 2)
        ordered = (tensors[name] for name in sorted(tensors, key=int))
        if release != _FORMAT or checksum != _checksum(text, ordered):
            raise ArtifactMissing("the stage's input is damaged or of another release")
        return _graft(json.loads(text), tensors)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise ArtifactMissing("the stage's input is damaged") from error


def _header(blob: bytes) -> str:
    """Our entry in the header of a blob that safetensors has already accepted."""
    size = int.from_bytes(blob[:8], "little")
    entry: str = json.loads(blob[8 : 8 + size])["__metadata__"][_ENTRY]
    return entry


def _checksum(text: str, tensors: Iterable[Tensor]) -> str:
    crc = zlib.crc32(text.encode())
    for tensor in tensors:
        crc = zlib.crc32(tensor.reshape(-1).view(torch.uint8).numpy().data, crc)
    return f"{crc:08x}"


def _strip(value: Any, tensors: dict[str, Tensor]) -> Any:
    """`value` with each tensor moved to `tensors` and named in its place."""
    if isinstance(value, Tensor):
        name = str(len(tensors))
        tensors[name] = value.detach().cpu().clone(memory_format=torch.contiguous_format)
        return {_TENSOR: name, "channels_last": _is_channels_last(value)}
    if isinstance(value, Mapping):
        if _TENSOR in value or not all(isinstance(key, str) for key in value):
            raise TypeError("a blob's keys are strings, and none is the tensor mark")
        return {key: _strip(item, tensors) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_strip(item, tensors) for item in value]
    return value


def _graft(value: Any, tensors: Mapping[str, Tensor]) -> Any:
    if isinstance(value, dict):
        if _TENSOR in value:
            tensor = tensors[value[_TENSOR]]
            return _to_channels_last(tensor) if value["channels_last"] else tensor
        return {key: _graft(item, tensors) for key, item in value.items()}
    if isinstance(value, list):
        return [_graft(item, tensors) for item in value]
    return value


def _is_channels_last(tensor: Tensor) -> bool:
    """Kept because convolutions round differently by layout: 7e-6 after a VAE encoder."""
    layout = _CHANNELS_LAST.get(tensor.ndim)
    return bool(
        layout and not tensor.is_contiguous() and tensor.is_contiguous(memory_format=layout)
    )


def _to_channels_last(tensor: Tensor) -> Tensor:
    return tensor.contiguous(memory_format=_CHANNELS_LAST[tensor.ndim])
