"""This machine's processor, and the packages and compilers that change what a worker can do."""

import os
import platform
import shutil
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Final

import torch

from workers.doctor.devices import processor
from workers.doctor.report import MachineReport

_PACKAGES: Final = (
    "torch",
    "diffusers",
    "transformers",
    "accelerate",
    "peft",
    "torchao",
    "av",
    "ftfy",
    "triton",
    "xformers",
    "flash-attn",
    "sageattention",
    "kernels",
)
_COMPILERS: Final = {"C++": ("g++", "clang++", "cl"), "CUDA": ("nvcc",), "ROCm": ("hipcc",)}


def look_around() -> MachineReport:
    """Everything but the devices."""
    return MachineReport(
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        processor=processor(),
        cpu_capability=torch.backends.cpu.get_cpu_capability(),
        cores=usable_cores(),
        python=platform.python_version(),
        packages={name: _version(name) for name in _PACKAGES},
        compilers=_compilers(),
    )


def usable_cores() -> int:
    """Cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _compilers() -> Mapping[str, str]:
    """What torch.compile needs beside itself: the C++ compiler on CPUs, Triton on GPUs."""
    return {
        name: next((each for each in commands if shutil.which(each)), "")
        for name, commands in _COMPILERS.items()
    }
