"""SDXL and Flux as modular pipelines, from the components of classical ones."""

from pathlib import Path
from typing import Any

import diffusers

from tests.workers.families.tiny import flux, sdxl

CLASSICAL = {
    "sdxl": (sdxl.TINY.save, "StableDiffusionXLAutoBlocks"),
    "flux": (flux.TINY.save, "FluxAutoBlocks"),
}


def save(folder: Path, kind: str) -> Path:
    """The modular pipeline of `kind` in `folder`; the classical one is saved beside it."""
    save_classical, blocks = CLASSICAL[kind]
    classical = diffusers.DiffusionPipeline.from_pretrained(save_classical(beside(folder)))
    pipe = getattr(diffusers, blocks)().init_pipeline()
    held: dict[str, Any] = {
        name: part
        for name, part in classical.components.items()
        if part is not None and name in pipe.pretrained_component_names + pipe.null_component_names
    }
    pipe.update_components(**held)
    pipe.save_pretrained(str(folder), overwrite_modular_index=True)
    return folder


def beside(folder: Path) -> Path:
    """Where the classical pipeline lies."""
    return folder.with_name(f"{folder.name}-classical")
