"""The calls a pipeline makes of its denoiser and VAE, recorded before anything is loaded."""

import inspect
import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import update_wrapper
from pathlib import Path
from typing import Any, Final

import diffusers
import torch
from torch import Tensor

from workers.memory.fake import FakeModel, NotTraceable
from workers.memory.row_memory import RowMemory
from workers.memory.text import text_arguments

# No dimension of a model is 7, so what has seven rows or items is batched.
EXAMPLE_ROWS: Final = 7
_MODELS: Final = ("unet", "transformer", "vae")
_DENOISERS: Final = ("unet", "transformer")


@dataclass(frozen=True)
class Example:
    """One call of a model's `method`: its arguments, by name, for EXAMPLE_ROWS rows."""

    part: str
    model: FakeModel
    method: str
    arguments: Mapping[str, Any]

    @property
    def listed(self) -> frozenset[str]:
        """Arguments that are lists of one item a row."""
        return frozenset(
            name
            for name, value in self.arguments.items()
            if isinstance(value, list) and len(value) == EXAMPLE_ROWS
        )

    def row_memory(self) -> RowMemory:
        """Raises NotTraceable."""
        return self.model.row_memory(self.arguments, EXAMPLE_ROWS, self.method, self.listed)

    def flops(self) -> int:
        """Floating-point operations of one row. Raises NotTraceable."""
        return self.model.flops(self.arguments, EXAMPLE_ROWS, self.method, self.listed)


class ExamplePipeline:
    """A model folder's pipeline, run for one step with a denoiser that answers zeros.

    The pipeline's own code makes latents, ids and masks, and unpacks and scales for
    the VAE, so that its two calls come out as in a real run; text embeddings are
    zeros of the right shape. Only configs are read, nothing is computed.
    `vae_flags` are of "slicing" and "tiling"; `vae_folder` holds another VAE, such as
    an AutoencoderTiny. Raises NotTraceable for a folder of another kind.
    """

    def __init__(
        self,
        folder: Path,
        dtype: torch.dtype,
        vae_flags: Collection[str] = (),
        vae_folder: Path | None = None,
    ) -> None:
        self._folder = folder
        self._dtype = dtype
        self._vae_folder = vae_folder or folder / "vae"
        try:
            self._index = _read(folder / "model_index.json")
            self._pipeline: Any = getattr(diffusers, self._index["_class_name"])
            self._models = {part: self._fake(part) for part in _MODELS if part in self._index}
            self._denoiser = next(part for part in _DENOISERS if part in self._models)
            for flag in vae_flags:
                getattr(self._models["vae"].module, f"enable_{flag}")()
        except (OSError, ValueError, LookupError, AttributeError, StopIteration) as error:
            raise NotTraceable(f"not a pipeline with a denoiser: {error!r}") from error

    def record(self, height: int, width: int, num_frames: int = 1) -> tuple[Example, Example]:
        """The denoiser's call and the VAE's decode at that size. Raises NotTraceable."""
        denoiser, vae = self._models[self._denoiser], self._models["vae"]
        with _errors(self._index["_class_name"]):
            pipe = self._open()
            asked = self._arguments(pipe, height, width, num_frames)
            with _recorded(denoiser, "forward") as step, _recorded(vae, "decode") as decode:
                _run(pipe, asked)
            return (
                Example(self._denoiser, denoiser, "forward", step[0]),
                Example("vae", vae, "decode", _in_dtype(decode[0], vae.module.dtype)),
            )

    def _fake(self, part: str) -> FakeModel:
        folder = self._vae_folder if part == "vae" else self._folder / part
        config = _read(folder / "config.json")
        is_upcast = part == "vae" and self._decodes_in_float32(config)
        dtype = torch.float32 if is_upcast else self._dtype
        return FakeModel(getattr(diffusers, config["_class_name"]), config, dtype)

    def _decodes_in_float32(self, vae_config: Mapping[str, Any]) -> bool:
        """Stable Diffusion XL does, if its VAE says that fp16 overflows."""
        is_full = vae_config["_class_name"] == "AutoencoderKL"
        overflows = self._dtype == torch.float16 and vae_config.get("force_upcast", is_full)
        return bool(overflows) and hasattr(self._pipeline, "upcast_vae")

    def _open(self) -> Any:
        """The pipeline around our models and its own scheduler, the rest left out."""
        known = inspect.signature(self._pipeline).parameters
        pipe = self._pipeline(**{name: self._component(name) for name in known})
        pipe.set_progress_bar_config(disable=True)
        return pipe

    def _component(self, name: str) -> Any:
        entry = self._index.get(name)
        if name == "requires_safety_checker":
            return False
        if name == "scheduler" and entry is not None:
            return getattr(diffusers, entry[1]).from_pretrained(self._folder / name)
        if name in self._models:
            return self._models[name].module
        return None if isinstance(entry, list) else entry  # else an option of the pipeline

    def _arguments(self, pipe: Any, height: int, width: int, num_frames: int) -> dict[str, Any]:
        denoiser = self._models[self._denoiser].module
        asked = text_arguments(pipe, denoiser, EXAMPLE_ROWS, self._dtype) | {
            "height": height,
            "width": width,
            "num_frames": num_frames,
            "num_inference_steps": 1,
            "guidance_scale": 0.0,
            "true_cfg_scale": 1.0,
            "output_type": "pt",
        }
        known = inspect.signature(pipe.__call__).parameters
        return {name: value for name, value in asked.items() if name in known}


class _Reached(BaseException):
    """The VAE was called: all is known. Not an Exception, so that no pipeline stops it."""


def _run(pipe: Any, asked: Mapping[str, Any]) -> None:
    try:
        with torch.no_grad():
            pipe(**asked)
    except _Reached:
        return
    raise NotTraceable(f"{type(pipe).__name__} never called its VAE")


@contextmanager
def _recorded(model: FakeModel, method: str) -> Iterator[list[Mapping[str, Any]]]:
    """While open, calls of `method` are noted by argument instead of being run."""
    calls: list[Mapping[str, Any]] = []
    original = getattr(model.module, method)
    signature = inspect.signature(original)

    def note(*args: Any, **kwargs: Any) -> Any:
        arguments = signature.bind(*args, **kwargs).arguments
        unread = ("return_dict", "generator")
        calls.append({name: value for name, value in arguments.items() if name not in unread})
        if method == "decode":
            raise _Reached
        return (_zeros(next(iter(arguments.values()))),)

    setattr(model.module, method, update_wrapper(note, original))
    try:
        yield calls
    finally:
        delattr(model.module, method)


def _in_dtype(arguments: Mapping[str, Any], dtype: torch.dtype) -> dict[str, Any]:
    """Latents as the VAE takes them: a pool may denoise and decode in different precisions.

    Zeros in their place: what was scaled by a VAE without weights has no values.
    """
    return {
        name: torch.zeros(value.shape, dtype=dtype) if isinstance(value, Tensor) else value
        for name, value in arguments.items()
    }


def _zeros(latents: Any) -> Any:
    """What a denoiser answers: something of the shape of its first argument."""
    if isinstance(latents, list):
        return [torch.zeros_like(latent) for latent in latents]
    return torch.zeros_like(latents)


def _read(path: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return values


@contextmanager
def _errors(pipeline: str) -> Iterator[None]:
    try:
        yield
    except NotTraceable:
        raise
    except Exception as error:  # a pipeline's own code may fail in any way
        raise NotTraceable(f"{pipeline}: {type(error).__name__}: {error}") from error
