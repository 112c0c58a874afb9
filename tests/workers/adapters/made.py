"""Tiny random LoRAs and ControlNets, saved by diffusers and peft themselves."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import ControlNetModel
from diffusers.training_utils import _collate_lora_metadata
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
TEXT = ("q_proj", "v_proj")


def save_lora(
    pipe: Any,
    folder: Path,
    components: Mapping[str, LoraConfig],
    seed: int,
    *,
    has_config: bool = True,
) -> Path:
    """A LoRA for these components, with weights that matter."""
    torch.manual_seed(seed)
    modules = {name: getattr(pipe, name) for name in components}
    for name, module in modules.items():
        module.add_adapter(components[name], adapter_name="made")
        for parameter in (p for key, p in module.named_parameters() if ".lora_" in key):
            torch.nn.init.normal_(parameter, std=0.15)
    layers = {
        f"{name}_lora_layers": get_peft_model_state_dict(module, adapter_name="made")
        for name, module in modules.items()
    }
    for module in modules.values():
        module.peft_config["default"] = module.peft_config["made"]
    metadata = _collate_lora_metadata(modules) if has_config else {}
    pipe.save_lora_weights(folder, **layers, **metadata)
    return folder


def config(*targets: str, r: int = 4, alpha: int = 6) -> LoraConfig:
    return LoraConfig(r=r, lora_alpha=alpha, target_modules=list(targets))


def save_controlnet(unet: Any, folder: Path, seed: int) -> Path:
    """A ControlNet around `unet`, for pictures twice the size of its latents."""
    net = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(16, 32))
    torch.manual_seed(seed)
    zero_convs = (*net.controlnet_down_blocks, net.controlnet_mid_block)
    for parameter in (p for module in zero_convs for p in module.parameters()):
        torch.nn.init.normal_(parameter, std=0.1)
    torch.nn.init.normal_(net.controlnet_cond_embedding.conv_out.weight, std=0.3)
    net.save_pretrained(folder)
    return folder
