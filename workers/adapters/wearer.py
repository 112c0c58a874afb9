"""One module of a model, and the LoRAs that it carries at the moment."""

import warnings
from collections.abc import Hashable
from typing import Any

import diffusers
from peft import inject_adapter_in_model
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils import set_peft_model_state_dict
from torch import Tensor, nn

from workers.adapters.lora import Part
from workers.device import Device

_utils: Any = diffusers.utils  # has no types

# Names under which LoRAs are held, with their scales, in order; empty for none.
Variant = tuple[tuple[str, float], ...]


class Wearer:
    """Everything it holds is off until put on, and then the base layers alone run.

    Between forward passes LoRAs can be added, switched and removed without touching
    a base weight, so that a request in mid-denoise cannot tell.
    """

    def __init__(self, module: nn.Module, device: Device) -> None:
        self.module, self._device = module, device
        self._layers: list[Any] = []
        self._held: set[str] = set()
        self._worn: Variant | None = ()

    def add(self, name: str, part: Part) -> None:
        """Hold another LoRA, not yet put on. Raises what peft does, and then holds it not."""
        try:
            with warnings.catch_warnings():
                # That a LoRA cannot be merged into eight bits: none ever is.
                warnings.filterwarnings("ignore", ".*get_apply_tensor_subclass", UserWarning)
                self._inject(name, part)
            self._held.add(name)
        finally:
            # peft would warn at the next one, and has no other use for it.
            if hasattr(self.module, "peft_config"):
                del self.module.peft_config
            self._find_layers()
            if name not in self._held:
                self.remove(name)

    def remove(self, name: str) -> None:
        """Hold `name` no longer; without any LoRA left, the module is as it was at first."""
        self.put_on(())
        self._held.discard(name)
        for layer in self._layers:
            layer.delete_adapter(name)
        if not self._held:
            _utils.recurse_remove_peft_layers(self.module)
            self._find_layers()

    def put_on(self, variant: Hashable) -> None:
        """Carry exactly these LoRAs from the next forward pass on (None: none)."""
        wanted: Any = variant or ()
        if wanted == self._worn:
            return
        self._worn = None  # unknown, should this end half-way
        names = [name for name, _ in wanted]
        for layer in self._layers:
            # Not by `set_adapter`, which also marks every weight for training or not: 30 ms
            # for the 722 layers of an SDXL, at any step; this takes 3.
            layer._active_adapter = names
            layer._disable_adapters = not names
            for name, scale in wanted:
                layer.set_scale(name, scale)
        self._worn = wanted

    def _inject(self, name: str, part: Part) -> None:
        weights = dict(part.weights)
        inject_adapter_in_model(
            part.config, self.module, name, low_cpu_mem_usage=True, state_dict=weights
        )
        set_peft_model_state_dict(self.module, weights, name, low_cpu_mem_usage=True)
        for key, value in weights.items():
            layer, _, kind = key.rpartition(".lora_")
            matrix, _, leaf = kind.rpartition(".")
            self._bring(self.module.get_submodule(f"{layer}.lora_{matrix}.{name}"), leaf, value)

    def _bring(self, owner: nn.Module, leaf: str, value: Tensor) -> None:
        """peft puts a LoRA where its layer's weight is, also if that waits elsewhere or is cast."""
        put, device = owner.get_parameter(leaf), self._device
        if put.dtype.itemsize == 1 or put.device.type != device.torch_device.type:
            dtype = device.dtype if put.dtype.itemsize == 1 else put.dtype
            ready = value.to(device.torch_device, dtype)
            setattr(owner, leaf, nn.Parameter(ready, requires_grad=False))

    def _find_layers(self) -> None:
        """After an injection: new layers come switched on."""
        self._layers = [each for each in self.module.modules() if isinstance(each, BaseTunerLayer)]
        self._worn = None
        self.put_on(())
