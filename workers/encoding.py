"""The encode stage: a prompt and pictures become what the denoiser starts from."""

import dataclasses
import io
from collections.abc import Mapping
from typing import Any

from PIL import Image as Images
from PIL.Image import Image
from torch import Tensor

from myriad.params import GenerationParams
from workers.conditions import Conditions
from workers.families.base import finite
from workers.loaded import LoadedModel
from workers.shell import Pipeline


def encode(
    loaded: LoadedModel, params: GenerationParams, inputs: Mapping[str, bytes]
) -> Conditions:
    """Everything the denoiser needs; `inputs` are PNGs by digest. Raises PromptTooLong."""
    family, pipe = loaded.family, loaded.pipe
    family.check_length(pipe, params)
    with loaded.additions.in_encoding(params):
        embeds = family.encode(pipe, params, loaded.device.torch_device)
    for name, value in embeds.items():
        for tensor in value if isinstance(value, list) else [value]:
            if isinstance(tensor, Tensor) and tensor.is_floating_point():
                finite(tensor, name)
    conditions = Conditions(
        embeds=embeds,
        image=_fitted(pipe, params, inputs[params.image], "RGB") if params.image else None,
        mask=_fitted(pipe, params, inputs[params.mask], "L") if params.mask else None,
        controls=tuple(
            _fitted(pipe, params, inputs[use.image], "RGB") for use in params.controlnets
        ),
    )
    moments = [_moments(pipe.vae, each) for each in family.vae_inputs(pipe, conditions)]
    return dataclasses.replace(conditions, moments=tuple(moments), preview=loaded.preview_weights)


def _fitted(pipe: Pipeline, params: GenerationParams, png: bytes, colours: str) -> Image:
    """The input, resized to the job's size just as the pipeline itself would."""
    with Images.open(io.BytesIO(png), formats=("PNG",)) as opened:
        picture = opened.convert(colours)
    resized: Image = pipe.image_processor.resize(picture, params.height, params.width)
    return resized


def _moments(vae: Any, pixels: Tensor) -> Tensor:
    """Mean and log-variance of the encoder's answer: [1, 2 · latent channels, …]."""
    posterior = vae.encode(pixels.to(vae.device, vae.dtype)).latent_dist
    return finite(posterior.parameters, "encoded image")
