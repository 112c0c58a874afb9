"""A LoRA file as peft takes it: weights by component, with ranks and alphas."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import diffusers
from diffusers.loaders.peft import PeftAdapterMixin
from peft import LoraConfig
from torch import Tensor, nn

from workers.shell import Pipeline

Weights = Mapping[str, Tensor]

_utils: Any = diffusers.utils  # has no types

# Of a file's own config: what bears on the result, and nothing that could alter the base
# weights on loading or name code.
_CONFIG: Final = ("r", "lora_alpha", "rank_pattern", "alpha_pattern", "use_rslora", "lora_bias")


@dataclass(frozen=True)
class Part:
    """What a LoRA does to one component; keys of `weights` are peft's, from its root."""

    weights: Weights
    config: LoraConfig


@dataclass(frozen=True)
class LoraFile:
    """As diffusers reads it: keys begin with the component, as do those of alphas and configs."""

    weights: Weights
    alphas: Mapping[str, float]
    configs: Mapping[str, Any]

    @classmethod
    def read(cls, file: Path, pipe: Pipeline, options: Mapping[str, Any]) -> "LoraFile":
        """In any of the forms that the pipeline's class knows. Raises what diffusers does."""
        read = type(pipe).lora_state_dict
        takes_alphas = "return_alphas" in inspect.signature(read).parameters
        weights, *alphas, configs = read(
            str(file.parent),
            weight_name=file.name,
            use_safetensors=True,
            local_files_only=True,
            return_lora_metadata=True,
            **({"return_alphas": True} if takes_alphas else {}),
            **options,
        )
        return cls(weights, (alphas[0] if alphas else None) or {}, configs or {})

    @property
    def components(self) -> tuple[str, ...]:
        """What its keys begin with."""
        return tuple(dict.fromkeys(key.partition(".")[0] for key in self.weights))

    def part(self, name: str, module: nn.Module) -> Part:
        """Its share for the component `name`, put as peft puts it."""
        weights = _in_peft_form(_below(name, self.weights), module)
        own = _below(name, self.configs)
        config = (
            {key: own[key] for key in _CONFIG if key in own}
            if own
            else _utils.get_peft_kwargs(
                # The mark keeps a module's name from standing for another's end.
                {f"^{key}": value.shape[1] for key, value in weights.items() if _is_up(key)},
                _below(name, self.alphas),
                weights,
                is_unet=isinstance(module, PeftAdapterMixin),
            )
        )
        targets = {"target_modules": sorted({key.split(".lora_")[0] for key in weights})}
        return Part(weights, LoraConfig(**{**config, **targets}))


def _below(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    prefix = f"{name}."
    return {
        key.removeprefix(prefix): value for key, value in values.items() if key.startswith(prefix)
    }


def _in_peft_form(weights: dict[str, Tensor], module: nn.Module) -> dict[str, Tensor]:
    """As diffusers' own loaders do for a denoiser and for a text encoder."""
    is_denoiser = isinstance(module, PeftAdapterMixin)
    if not any(".lora_A." in key for key in weights):
        weights = (
            _utils.convert_unet_state_dict_to_peft(weights)
            if is_denoiser
            else _utils.convert_state_dict_to_peft(_utils.convert_state_dict_to_diffusers(weights))
        )
    if is_denoiser or hasattr(module, "text_model"):
        return weights
    return {key.removeprefix("text_model."): value for key, value in weights.items()}


def _is_up(key: str) -> bool:
    return key.endswith(".lora_B.weight")
