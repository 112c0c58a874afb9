"""The one file of a LoRA, at hand and found safe: safetensors, never a pickle or code."""

from pathlib import Path
from typing import Final

from diffusers.loaders.lora_base import LORA_WEIGHT_NAME_SAFE

from myriad.adapter import Lora
from myriad.errors import ModelNotLoadable
from workers.source import check_file, fetch

MAX_LORA_BYTES: Final = 4 * 2**30


def open_lora(lora: Lora) -> Path:
    """The file of `lora`, downloaded if need be. Raises ModelNotLoadable or ModelUnavailable."""
    local = Path(lora.source)
    file = local if local.is_file() else _only_weights(lora)
    check_file(lora, file)
    if file.suffix != ".safetensors":
        raise ModelNotLoadable(f"lora {lora.name}: {file.name} is no safetensors file")
    if file.stat().st_size > MAX_LORA_BYTES:
        raise ModelNotLoadable(
            f"lora {lora.name}: {file.name} is larger than {MAX_LORA_BYTES // 2**30} GiB"
        )
    return file


def _only_weights(lora: Lora) -> Path:
    folder = fetch(lora, ["*.safetensors"])
    for file in folder.rglob("*"):
        check_file(lora, file)
    found = sorted(folder.glob("*.safetensors"))
    named = [file for file in found if file.name == LORA_WEIGHT_NAME_SAFE]
    if len(named or found) != 1:
        names = ", ".join(file.name for file in found) or "none"
        raise ModelNotLoadable(
            f"lora {lora.name}: its folder must have one safetensors file, or one called"
            f" {LORA_WEIGHT_NAME_SAFE}; it has {names}"
        )
    return (named or found)[0]
