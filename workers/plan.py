"""What is about to be loaded: a diffusers pipeline with only some of its components."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import diffusers
import torch
import transformers

from myriad.errors import ModelNotLoadable, StageError
from myriad.model import Model
from workers.device import Device
from workers.error import is_out_of_memory, short
from workers.families.base import Family, upcast_if_it_overflows
from workers.loaded import LoadedModel
from workers.options.placement import Placement
from workers.shell import Pipeline, build_pipeline
from workers.source import pipeline_settings, vae_config, vae_tensors, weights_bytes
from workers.vae_stand_in import VaeStandIn

# A worker's output is its log: no bars that redraw themselves.
diffusers.utils.logging.disable_progress_bar()
transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]


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
    # What is not moved to the device here: `on_load` sees to it.
    placement: Placement = field(default_factory=dict, kw_only=True)
    # What `on_load` loads besides.
    beside_bytes: int = field(default=0, kw_only=True)

    @property
    def expected_bytes(self) -> int:
        """What the weights will take there. Raises ModelNotLoadable if they cannot be read."""
        with self._load_errors():
            return sum(map(self._expected_bytes, self.parts)) + self.beside_bytes

    def load(self) -> LoadedModel:
        """Raises ModelNotLoadable for whatever diffusers finds wrong with the files."""
        with self._load_errors():
            pipe = self._load_parts()
            if self.needs_vae_config:
                stand_in = VaeStandIn.of_config(
                    vae_config(self.folder),
                    self.device.dtype,
                    vae_tensors(self.folder, self.family.vae_buffers),
                )
                pipe = self._with_vae(pipe, stand_in)
            pipe.set_progress_bar_config(disable=True)
            upcast_if_it_overflows(self.family, pipe)
            self._move(pipe)
            loaded = LoadedModel(self.model, self.family, pipe, self.device)
            self.on_load(loaded)
            return loaded

    def _expected_bytes(self, part: str) -> int:
        dtype = self.placement.get(part, self.device.dtype)
        return 0 if dtype is None else weights_bytes(self.folder, [part], dtype)

    def _move(self, pipe: Pipeline) -> None:
        for name, part in pipe.components.items():
            if isinstance(part, torch.nn.Module) and name not in self.placement:
                part.to(self.device.torch_device)

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
        settings = pipeline_settings(self.folder)
        absent = {
            each.name: None
            for each in parameters
            if each.name not in self.parts and each.name not in self.family.options
            if _is_component(each) and each.name not in settings
        }
        return pipeline.from_pretrained(
            self.folder,
            dtype=self.device.dtype,
            use_safetensors=True,
            local_files_only=True,
            **absent,
            **self.family.options,
        )

    def _with_vae(self, pipe: Pipeline, vae: VaeStandIn) -> Pipeline:
        return build_pipeline(type(pipe), pipe, vae=vae)


def _is_component(parameter: inspect.Parameter) -> bool:
    """Components have no default, or None; options of a pipeline have another."""
    return parameter.default in (inspect.Parameter.empty, None)
