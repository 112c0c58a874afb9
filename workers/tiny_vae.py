"""A tiny autoencoder in place of the VAE's decoder: a tenth of the time, for CPU decode pools."""

from pathlib import Path
from typing import Any

import diffusers

from myriad.errors import ModelNotLoadable
from myriad.model import Model
from myriad.weights import Weights
from workers.adapters.load_errors import load_errors
from workers.device import Device
from workers.source import check_file, fetch


def load_tiny_vae(model: Model, device: Device) -> Any:
    """An `AutoencoderTiny` (TAESD; Ollin Boer Bohan 2023) for the latents of `model`.

    Raises ModelNotLoadable, also if the catalogue names none for the model; Absent.
    """
    entry = _entry(model)
    with load_errors(entry):
        kind: Any = diffusers.AutoencoderTiny
        vae = kind.from_pretrained(
            open_tiny_vae(model), dtype=device.dtype, use_safetensors=True, local_files_only=True
        )
        return vae.to(device.torch_device)


def open_tiny_vae(model: Model) -> Path:
    """Its folder, in which nothing could run code. Raises as `load_tiny_vae`."""
    entry = _entry(model)
    folder = fetch(entry, ["config.json", "diffusion_pytorch_model*.safetensors"])
    for file in folder.rglob("*"):
        check_file(entry, file)
    return folder


def _entry(model: Model) -> Weights:
    if not model.tiny_vae:
        raise ModelNotLoadable(
            f"model {model.name} has no `tiny_vae` in the catalogue, but the pool decodes with one"
        )
    return Weights(name=model.name, source=model.tiny_vae, revision=model.tiny_vae_revision)
