"""Weights that wait elsewhere and come to the device layer by layer."""

from typing import Any, ClassVar

import torch

from myriad.errors import ConfigError
from myriad.pool import Pool
from workers.device import Device
from workers.families.base import Family
from workers.options.disk import open_folder
from workers.options.option import Pipeline, denoisers


class GroupOffload:
    """`offload = "host"` keeps the denoiser's layers in host memory, `"disk"` on local disk."""

    name: ClassVar = "offload"

    def is_wanted(self, pool: Pool) -> bool:
        return pool.offload != "none"

    def check(self, pool: Pool, device: Device) -> None:
        if device.torch_device.type == "cpu" and pool.offload == "host":
            raise ConfigError(f"pool {pool.name}: a CPU's weights are in host memory already")

    def apply(self, family: Family, pipe: Pipeline, pool: Pool, device: Device) -> bool:
        return all(
            offload(module, device.torch_device, to_disk=pool.offload == "disk")
            for module in denoisers(family, pipe)
        )


def offload(module: Any, device: torch.device, *, to_disk: bool) -> bool:
    """Let `module` keep its layers elsewhere from now on; False if none does."""
    folder = str(open_folder(module)) if to_disk else None
    module.enable_group_offload(
        onload_device=device,
        offload_device=torch.device("cpu"),
        offload_type="leaf_level",
        use_stream=device.type == "cuda" and not to_disk,
        offload_to_disk_path=folder,
    )
    return is_offloaded(module)


def is_offloaded(module: Any) -> bool:
    """Whether any layer of `module` comes to the device only when it is called."""
    from diffusers.hooks.group_offloading import _is_group_offload_enabled

    return bool(_is_group_offload_enabled(module))
