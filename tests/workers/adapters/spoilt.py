"""LoRAs and ControlNets that a tiny `sd` model must refuse, each made of a good one."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

FILE: Final = "pytorch_lora_weights.safetensors"
_LAYER: Final = "unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_q"
Weights = dict[str, torch.Tensor]


def _edited(edit: Callable[[Weights, dict[str, Any]], Any]) -> Callable[[Path], None]:
    """A spoiler that edits the weights and the config in the file."""

    def spoil(folder: Path) -> None:
        weights = load_file(folder / FILE)
        with safe_open(folder / FILE, "pt") as opened:
            metadata = opened.metadata()
        config = json.loads(metadata["lora_adapter_metadata"])
        edit(weights, config)
        save_file(weights, folder / FILE, {"lora_adapter_metadata": json.dumps(config)})

    return spoil


def _foreign(weights: Weights, config: dict[str, Any]) -> None:
    weights["text_encoder_2.encoder.x.lora_A.weight"] = torch.zeros(1, 1)


def _renamed(weights: Weights, config: dict[str, Any]) -> None:
    for key in [key for key in weights if key.startswith("unet.")]:
        weights[key.replace("attn1", "attn7")] = weights.pop(key)


def _reshaped(weights: Weights, config: dict[str, Any]) -> None:
    weights[f"{_LAYER}.lora_A.weight"] = torch.zeros(4, 99)


def _halved(weights: Weights, config: dict[str, Any]) -> None:
    del weights[f"{_LAYER}.lora_B.weight"]


def _of_another_kind(weights: Weights, config: dict[str, Any]) -> None:
    weights[f"{_LAYER}.lora_magnitude_vector"] = torch.zeros(64)


def _whole(weights: Weights, config: dict[str, Any]) -> None:
    weights[f"{_LAYER}.lora_A.weight"] = torch.zeros(4, 64, dtype=torch.int64)


def _without_rank(weights: Weights, config: dict[str, Any]) -> None:
    config["unet.r"] = 0


def _replaced(weights: Weights, config: dict[str, Any]) -> None:
    weights.clear()
    weights["conv_in.weight"] = torch.zeros(4, 4)


def _add(name: str, text: str = "") -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_text(text) and None


def _two_files(folder: Path) -> None:
    (folder / FILE).rename(folder / "one.safetensors")
    shutil.copy(folder / "one.safetensors", folder / "two.safetensors")


# By what the message says of each.
LORAS: Final[Mapping[str, Callable[[Path], None]]] = {
    "no component takes text_encoder_2": _edited(_foreign),
    "the model has no layer .*attn7": _edited(_renamed),
    r"weights of \(4, 99\)": _edited(_reshaped),
    "only half of its weights": _edited(_halved),
    "of a kind that is not supported": _edited(_of_another_kind),
    "holds torch.int64": _edited(_whole),
    "cannot be loaded: ValueError": _edited(_without_rank),
    "no component takes conv_in": _edited(_replaced),
    "is a pickle": _add("weights.bin", "cos"),
    "is code": _add("evil.py", "raise SystemExit"),
    "it has one.safetensors, two.safetensors": _two_files,
    "it has none": lambda folder: (folder / FILE).unlink(),
    "cannot be loaded: SafetensorError": _add(FILE, "torn"),
}


def _configured(**values: Any) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | values))

    return spoil


CONTROLNETS: Final[Mapping[str, Callable[[Path], None]]] = {
    "its cross_attention_dim is 64, the model's 32": _configured(cross_attention_dim=64),
    "holds a FluxControlNetModel": _configured(_class_name="FluxControlNetModel"),
    "auto_map": _configured(auto_map={"AutoModel": "evil--modeling.Evil"}),
    "is a pickle": _add("diffusion_pytorch_model.bin", "cos"),
    "is code": _add("modeling.py", "raise SystemExit"),
    "cannot be loaded": lambda folder: (folder / "config.json").unlink(),
}
