"""What the unmodified pipelines make of a request with LoRAs and ControlNets."""

import warnings
from collections.abc import Mapping
from typing import Any

import diffusers
import torch
from diffusers import ControlNetModel

from myriad.catalog import Catalog
from myriad.lease import Lease
from tests.workers.picture_input import half_mask, noise_picture, png
from workers.families import find_family
from workers.shell import build_pipeline

PICTURE, MASK = noise_picture(16, 24), half_mask(16, 24)
EDGES, DEPTH = noise_picture(16, 24, seed=1), noise_picture(40, 52, seed=2)
IMAGES = {png(image)[0]: image for image in (PICTURE, MASK, EDGES, DEPTH)}
INPUTS = dict(png(image) for image in (PICTURE, MASK, EDGES, DEPTH))
PICTURE_DIGEST, MASK_DIGEST, EDGES_DIGEST, DEPTH_DIGEST = INPUTS


def call_stock(pipe: Any, catalog: Catalog, job: Lease) -> torch.Tensor:
    """Latents; `pipe` is a fresh one of the model."""
    params = job.params
    load_loras(pipe, catalog, {use.name: use.scale for use in params.loras})
    stock, controls = _controlled(pipe, catalog, job)
    stock.scheduler = getattr(diffusers, params.scheduler).from_config(pipe.scheduler.config)
    image = {"image": IMAGES[params.image], "strength": params.strength} if params.image else {}
    mask = {"mask_image": IMAGES[params.mask]} if params.mask else {}
    size = {"width": params.width, "height": params.height}
    if params.image and not params.mask and not params.controlnets:
        size = {}
    latents: torch.Tensor = stock(
        params.prompt,
        negative_prompt=params.negative_prompt or None,
        num_inference_steps=params.num_inference_steps,
        guidance_scale=params.guidance_scale,
        num_images_per_prompt=params.num_images,
        generator=[torch.Generator().manual_seed(seed) for seed in params.seeds],
        output_type="latent",
        **size,
        **image,
        **mask,
        **controls,
    ).images
    return latents


def load_loras(pipe: Any, catalog: Catalog, scales: Mapping[str, float]) -> None:
    """As the documentation of diffusers has it."""
    if not scales:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of peft, about a second one
        for name in scales:
            pipe.load_lora_weights(catalog.loras[name].source, adapter_name=name)
    names = sorted(scales)
    pipe.set_adapters(names, [scales[name] for name in names])


def _controlled(pipe: Any, catalog: Catalog, job: Lease) -> tuple[Any, dict[str, Any]]:
    """The pipeline of the request's mode, and what its call is told of ControlNets."""
    params, family = job.params, find_family(job.model)
    if not params.controlnets:
        return build_pipeline(family.pipelines[params.mode], pipe), {}
    nets = [
        ControlNetModel.from_pretrained(catalog.controlnets[use.model].source)
        for use in params.controlnets
    ]
    images = [IMAGES[use.image] for use in params.controlnets]
    scales = [use.scale for use in params.controlnets]
    only = len(nets) == 1
    kind = family.controlled[params.mode]
    stock = build_pipeline(kind, pipe, controlnet=nets[0] if only else nets)
    controls = {
        "control_image" if params.image else "image": images[0] if only else images,
        "controlnet_conditioning_scale": scales[0] if only else scales,
    }
    return stock, controls
