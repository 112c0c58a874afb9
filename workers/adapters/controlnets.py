"""The ControlNets of a loaded model: loaded on demand, shared by requests, kept within bounds."""

import inspect
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from diffusers import ControlNetModel
from diffusers.models.controlnets.multicontrolnet import MultiControlNetModel
from PIL.Image import Image
from torch import nn

from myriad.adapter import ControlNet
from myriad.errors import ModelNotLoadable
from workers.adapters.load_errors import load_errors
from workers.adapters.shelf import Shelf
from workers.device import Device
from workers.source import check_file, fetch, weights_bytes

_class: Any = ControlNetModel  # has no types

MAX_KEPT: Final = 4
_WEIGHTS: Final = "diffusion_pytorch_model"
# Where a ControlNet and its denoiser must agree for the one's answers to fit the other.
_SHARED: Final = (
    "block_out_channels",
    "layers_per_block",
    "cross_attention_dim",
    "addition_embed_type",
    "projection_class_embeddings_input_dim",
)


@dataclass(frozen=True)
class Held:
    """A ControlNet in memory."""

    net: Any
    size_bytes: int


class ControlNets:
    """Used on the engine thread alone.

    `on_load` is told of each net, so that requests can meet there; `make_room` of the
    bytes one will take, before it is loaded. Those not in use are let go beyond
    `MAX_KEPT` or `max_bytes`, least recently used first.
    """

    def __init__(
        self,
        denoiser_config: Callable[[], Mapping[str, Any]],
        device: Device,
        *,
        max_bytes: int,
        make_room: Callable[[int], None],
        on_load: Callable[[nn.Module], None],
    ) -> None:
        self._denoiser_config, self._device = denoiser_config, device
        self._make_room, self._on_load = make_room, on_load
        self._shelf: Shelf[Held] = Shelf(MAX_KEPT, max_bytes, lambda held: device.free_cache())

    @property
    def held(self) -> tuple[str, ...]:
        """Catalogue names of those loaded, least recently used first."""
        return tuple(self._shelf.held)

    @property
    def size_bytes(self) -> int:
        """What they take now."""
        return self._shelf.size_bytes

    def clear(self) -> None:
        """Let go of those not in use."""
        self._shelf.clear()

    @contextmanager
    def use(self, entries: Sequence[ControlNet]) -> Iterator[Any]:
        """These nets as a pipeline takes them: None, one, or several that share their weights."""
        by_name = {entry.name: entry for entry in entries}
        names = [entry.name for entry in entries]
        with self._shelf.use(names, lambda name: self._load(by_name[name])) as held:
            nets = [each.net for each in held]
            yield MultiControlNetModel(nets) if len(nets) > 1 else next(iter(nets), None)

    def _load(self, entry: ControlNet) -> Held:
        with load_errors(entry):
            folder = _open(entry)
            _check_config(entry, folder, self._denoiser_config())
            size_bytes = weights_bytes(folder, ["."], self._device.dtype)
            self._make_room(size_bytes)
            net = _class.from_pretrained(
                folder, dtype=self._device.dtype, use_safetensors=True, local_files_only=True
            ).to(self._device.torch_device)
            self._on_load(net)
            return Held(net, size_bytes)


def control_arguments(
    kind: Any, images: Sequence[Image], scales: Sequence[float]
) -> dict[str, Any]:
    """What the call of a pipeline of class `kind` is told of its ControlNets."""
    if not images:
        return {}
    takes_picture = "control_image" in inspect.signature(kind.__call__).parameters
    is_one = len(images) == 1
    return {
        "control_image" if takes_picture else "image": images[0] if is_one else list(images),
        "controlnet_conditioning_scale": scales[0] if is_one else list(scales),
    }


def _open(entry: ControlNet) -> Path:
    folder = fetch(entry, ["config.json", f"{_WEIGHTS}*.safetensors"])
    for file in folder.rglob("*"):
        check_file(entry, file)
    return folder


def _check_config(entry: ControlNet, folder: Path, denoiser: Mapping[str, Any]) -> None:
    config = json.loads((folder / "config.json").read_text("utf-8"))
    if (found := config.get("_class_name")) != "ControlNetModel":
        raise ModelNotLoadable(f"controlnet {entry.name}: its folder holds a {found}")
    for name in _SHARED:
        theirs, ours = config.get(name), denoiser.get(name)
        if name in config and json.dumps(theirs) != json.dumps(ours):
            raise ModelNotLoadable(
                f"controlnet {entry.name} does not fit the model it is asked for: its {name} is"
                f" {theirs}, the model's {ours}"
            )
