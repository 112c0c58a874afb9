"""A modular pipeline with only the blocks and components that a pool's stages need."""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import diffusers
from diffusers import ModularPipeline
from diffusers.modular_pipelines.modular_pipeline import (
    ModularPipelineBlocks,
    SequentialPipelineBlocks,
)
from torch import nn

from myriad.errors import ModelNotLoadable, StageError
from myriad.job import Stage
from myriad.model import Model
from workers.device import Device
from workers.error import short
from workers.families.base import Family
from workers.loaded import LoadedModel
from workers.modular_blocks import Blocks, divide
from workers.plan import Plan
from workers.shell import Pipeline
from workers.source import called, fetch, open_parts
from workers.vae_stand_in import VaeStandIn

_INDEX: Final = "modular_model_index.json"
_LIBRARIES: Final = {None, "diffusers", "transformers"}


@dataclass(frozen=True, kw_only=True)
class ModularPlan(Plan):
    """`kind` is the class of pipeline, `blocks` those of each stage."""

    kind: Any
    blocks: Mapping[Stage, Blocks]

    def _load_parts(self) -> Pipeline:
        joined = {
            name: block for own in self.blocks.values() for name, block in own.sub_blocks.items()
        }
        pipe = _construct(self.kind, self.folder, SequentialPipelineBlocks.from_blocks_dict(joined))
        pipe.update_components(**{name: self._load(pipe, name) for name in self.parts})
        pipe.stage_blocks = self.blocks
        return pipe

    def _load(self, pipe: Pipeline, name: str) -> Any:
        # Always from the folder that was checked, wherever the index may point.
        spec = pipe.get_component_spec(name)
        place = {"pretrained_model_name_or_path": str(self.folder), "subfolder": name}
        options: dict[str, Any] = {"local_files_only": True, "revision": None, "variant": None}
        if spec.type_hint is None or issubclass(spec.type_hint, nn.Module):
            options |= {"dtype": self.device.dtype, "use_safetensors": True}
        return spec.load(**place, **options)

    def _with_vae(self, pipe: Pipeline, vae: VaeStandIn) -> Pipeline:
        pipe.vae = vae
        return pipe


def plan_modular(
    model: Model,
    family: Family,
    stages: Collection[Stage],
    device: Device,
    on_load: Callable[[LoadedModel], None],
) -> Plan:
    """Find and check what `stages` of `model` need. Raises ModelNotLoadable, Absent."""
    folder = fetch(model, [_INDEX])
    kind = _checked_kind(model, folder / _INDEX)
    divided = _divided(model, kind, folder)
    blocks = {stage: own for stage, own in divided.items() if stage in stages}
    parts = tuple(dict.fromkeys(name for stage in blocks for name in _parts(stage, blocks[stage])))
    needs_vae_config = Stage.DENOISE in stages and "vae" not in parts
    folder = open_parts(model, (*parts, "vae_config") if needs_vae_config else parts)
    if missing := [name for name in parts if not (folder / name).is_dir()]:
        raise ModelNotLoadable(f"{called(model)}: its folder has no {', '.join(missing)}")
    return ModularPlan(
        model=model,
        family=family,
        folder=folder,
        parts=parts,
        needs_vae_config=needs_vae_config,
        device=device,
        on_load=on_load,
        kind=kind,
        blocks=blocks,
    )


def _divided(model: Model, kind: Any, folder: Path) -> dict[Stage, Blocks]:
    try:
        return divide(_construct(kind, folder)._blocks)
    except StageError:
        raise
    except Exception as error:  # an index may be wrong in many ways
        reason = short(error, hide=str(folder))
        raise ModelNotLoadable(f"{called(model)} cannot be loaded: {reason}") from error


def _parts(stage: Stage, blocks: Blocks) -> list[str]:
    """Components with files that `blocks` need; denoising has a stand-in for the VAE."""
    return [
        spec.name
        for spec in blocks.expected_components
        if spec.default_creation_method == "from_pretrained"
        and not (spec.name == "vae" and stage is Stage.DENOISE)
    ]


def _construct(kind: Any, folder: Path, blocks: Blocks | None = None) -> Pipeline:
    """Without weights. Its class and blocks are diffusers' own: nothing in the folder is run."""
    return kind(blocks=blocks, pretrained_model_name_or_path=str(folder), local_files_only=True)


def _checked_kind(model: Model, path: Path) -> Any:
    try:
        index = json.loads(path.read_text("utf-8"))
        kind, blocks = index["_class_name"], index["_blocks_class_name"]
        libraries = {library for value in index.values() for library in _libraries(value)}
    except (OSError, ValueError, LookupError, AttributeError, TypeError) as error:
        raise ModelNotLoadable(
            f"{called(model)}: its folder has no {_INDEX} that can be read"
        ) from error
    if foreign := libraries - _LIBRARIES:
        names = ", ".join(sorted(map(str, foreign)))
        raise ModelNotLoadable(f"{called(model)}: {_INDEX} asks for custom code ({names})")
    found = _of_diffusers(kind, ModularPipeline)
    if found is None:
        raise ModelNotLoadable(f"{called(model)}: diffusers has no modular pipeline {kind}")
    if _of_diffusers(blocks, ModularPipelineBlocks) is None:
        raise ModelNotLoadable(
            f"{called(model)}: its blocks, {blocks}, are code of its own, which is never run"
        )
    return found


def _of_diffusers(name: Any, base: type) -> Any:
    """The class of that name and kind, or None."""
    found = getattr(diffusers, str(name), None)
    return found if isinstance(found, type) and issubclass(found, base) else None


def _libraries(value: Any) -> list[Any]:
    """Where the classes of a component come from; of anything else, nothing."""
    match value:
        case [library, _, {"type_hint": [hinted, _]}]:
            return [library, hinted]
        case [library, _, {}]:
            return [library]
        case _:
            return []
