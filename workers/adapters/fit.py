"""Whether a LoRA was made for the module it is to change, told before anything is changed."""

from collections.abc import Iterator
from typing import Any, Final

from torch import Tensor, nn

from workers.adapters.lora import Weights

_KINDS: Final = {"lora_A.weight", "lora_B.weight", "lora_B.bias"}


def misfits(weights: Weights, module: nn.Module) -> Iterator[str]:
    """What keeps `weights` from being added to `module`, one line a key."""
    targets = {key.partition(".lora_")[0] for key in weights}
    for key, value in weights.items():
        target, _, kind = key.partition(".lora_")
        if f"lora_{kind}" not in _KINDS:
            yield f"{key} is of a kind that is not supported"
        elif not value.is_floating_point():
            yield f"{key} holds {value.dtype}"
    for target in sorted(targets):
        yield from _misfits_of(target, weights, module)


def _misfits_of(target: str, weights: Weights, module: nn.Module) -> Iterator[str]:
    base = _weight_of(module, target)
    down, up = weights.get(f"{target}.lora_A.weight"), weights.get(f"{target}.lora_B.weight")
    if base is None:
        yield f"the model has no layer {target}"
    elif down is None or up is None:
        yield f"{target} has only half of its weights"
    elif not _multiplies(down, up, base):
        yield (
            f"{target} has weights of {tuple(down.shape)} and {tuple(up.shape)}"
            f" for a layer of {tuple(base.shape)}"
        )


def _weight_of(module: nn.Module, target: str) -> Tensor | None:
    try:
        # A layer that has other LoRAs already still shows its own weight.
        found: Any = module.get_submodule(target)
    except AttributeError:
        return None
    weight = getattr(found, "weight", None)
    return weight if isinstance(weight, Tensor) and weight.ndim > 1 else None


def _multiplies(down: Tensor, up: Tensor, base: Tensor) -> bool:
    return (
        down.ndim == up.ndim == base.ndim
        and down.shape[1:] == base.shape[1:]
        and up.shape[0] == base.shape[0]
        and up.shape[1] == down.shape[0]
    )
