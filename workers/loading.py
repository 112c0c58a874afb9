"""A diffusers pipeline with only the components that a pool's stages need."""

import inspect
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers

from myriad.catalog import Model
from myriad.errors import ModelNotLoadable, StageError
from myriad.job import Stage
from workers.device import Device
from workers.error import is_out_of_memory, short
from workers.families import find_family
from workers.families.base import Family, Pipeline
from workers.source import open_folder, vae_config, weights_bytes

# A worker's output is its log: no bars that redraw themselves.
diffusers.utils.logging.disable_progress_bar()
transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]


@dataclass(frozen=True)
class LoadedModel:
    """A model's components for some stages, on the worker's device."""

    family: Family
    pipe: Pipeline
    device: Device

    @property
    def size_bytes(self) -> int:
        """What its parameters and buffers take now."""
        modules = [part for part in self.pipe.components.values() if _is_module(part)]
        return sum(
            tensor.nbytes
            for module in modules
            for tensor in (*module.parameters(), *module.buffers())
        )


@dataclass(frozen=True)
class Plan:
    """What is to be loaded, once its folder is at hand and found safe."""

    model: Model
    family: Family
    folder: Path
    parts: tuple[str, ...]
    needs_vae_config: bool
    device: Device
    on_load: Callable[[LoadedModel], None]

    @property
    def expected_bytes(self) -> int:
        """What the weights will take. Raises ModelNotLoadable if they cannot be read."""
        with self._load_errors():
            return weights_bytes(self.folder, self.parts, self.device.dtype)

    def load(self) -> LoadedModel:
        """Raises ModelNotLoadable for whatever diffusers finds wrong with the files."""
        with self._load_errors():
            pipe = self._load_parts()
            if self.needs_vae_config:
                pipe = _with_vae_config(pipe, vae_config(self.folder))
            pipe.set_progress_bar_config(disable=True)
            loaded = LoadedModel(self.family, pipe.to(self.device.torch_device), self.device)
            self.on_load(loaded)
            return loaded

    @contextmanager
    def _load_errors(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            if isinstance(error, StageError) or is_out_of_memory(error):
                raise
            reason = short(error, hide=str(self.folder))
            raise ModelNotLoadable(f"model {self.model.name} cannot be loaded: {reason}") from error

    def _load_parts(self) -> Pipeline:
        pipeline = self.family.pipeline
        parameters = inspect.signature(pipeline).parameters.values()
        absent = {
            each.name: None
            for each in parameters
            if each.name not in self.parts and each.name not in self.family.options
            if _is_component(each)
        }
        return pipeline.from_pretrained(
            self.folder,
            dtype=self.device.dtype,
            use_safetensors=True,
            local_files_only=True,
            **absent,
            **self.family.options,
        )


def plan(
    model: Model,
    stages: Collection[Stage],
    device: Device,
    on_load: Callable[[LoadedModel], None] = lambda loaded: None,
) -> Plan:
    """Fetch and check what `stages` of `model` need. Raises ModelNotLoadable."""
    family = find_family(model.family)
    parts = tuple(part for stage in stages for part in family.components[stage])
    needs_vae_config = Stage.DENOISE in stages and "vae" not in parts
    wanted = (*parts, "vae_config") if needs_vae_config else parts
    folder = open_folder(model, family.pipeline.__name__, wanted)
    return Plan(model, family, folder, parts, needs_vae_config, device, on_load)


class _VaeConfig:
    """Stands in for a VAE that is not loaded: a pipeline asks it for sizes alone.

    Without it diffusers assumes a scale of 8 and quietly draws the wrong size.
    Not an nn.Module: one without weights has no device, and pipelines ask.
    """

    def __init__(self, config: Any) -> None:
        self.config = config


def _with_vae_config(pipe: Pipeline, values: dict[str, Any]) -> Pipeline:
    """The pipeline built anew around the same components, its VAE a stand-in."""
    with torch.device("meta"):  # fills in the defaults the file leaves out, at no memory
        config = getattr(diffusers, values["_class_name"]).from_config(values).config
    arguments = {
        name: getattr(pipe, name) if name in pipe.components else pipe.config[name]
        for name in inspect.signature(type(pipe)).parameters
        if name in pipe.config
    }
    return type(pipe)(**arguments | {"vae": _VaeConfig(config)})


def _is_component(parameter: inspect.Parameter) -> bool:
    """Components have no default, or None; options of a pipeline have another."""
    return parameter.default in (inspect.Parameter.empty, None)


def _is_module(part: object) -> bool:
    return isinstance(part, torch.nn.Module)
