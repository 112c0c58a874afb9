"""Nodes that draw: canvases, samplers, decoding and saving."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from myriad.params import MAX_SEED
from web.doors.comfyui.loading import file_of, mask_of
from web.doors.comfyui.problem import NodeRefused
from web.doors.comfyui.value import Canvas, Sampled, Weights, Words


def empty(node: str, given: Mapping[str, Any]) -> tuple[Any, ...]:
    """LATENT to be filled from noise."""
    return (Canvas((given["width"], given["height"]), given["batch_size"]),)


def encode(node: str, given: Mapping[str, Any]) -> tuple[Any, ...]:
    """LATENT of a file."""
    image = file_of(given["pixels"])
    return (Canvas(image.size, image=image, vae=given["vae"]),)


def encode_for_inpaint(node: str, given: Mapping[str, Any]) -> tuple[Any, ...]:
    """LATENT of a file, of which only what the mask covers is drawn."""
    mask = replace(mask_of(given["mask"]), grow_px=given["grow_mask_by"])
    return (replace(encode(node, given)[0], mask=mask),)


def set_noise_mask(node: str, given: Mapping[str, Any]) -> tuple[Any, ...]:
    """The same, the mask being put on later."""
    return (replace(_canvas(given["samples"]), mask=mask_of(given["mask"])),)


def sample(node: str, given: Mapping[str, Any]) -> tuple[Any, ...]:
    """LATENT drawn; `denoise` below 1 keeps that part of the picture."""
    return (_sampled(node, given, given["seed"], given["denoise"]),)


def sample_advanced(node: str, given: Mapping[str, Any]) -> tuple[Any, ...]:
    """The same, told by steps. All of them, or the last ones of a picture."""
    steps, start = given["steps"], given["start_at_step"]
    plain = ("enable", "disable")
    if (given["add_noise"], given["return_with_leftover_noise"]) != plain:
        raise NodeRefused("add_noise must be enable and return_with_leftover_noise disable")
    if start >= steps or given["end_at_step"] < steps:
        raise NodeRefused("must end with the last step: one graph draws once")
    left = steps - start
    return (_sampled(node, {**given, "steps": left}, given["noise_seed"], left / steps),)


def decode(node: str, given: Mapping[str, Any]) -> tuple[Any, ...]:
    """IMAGE of a drawn LATENT."""
    sampled = given["samples"]
    if not isinstance(sampled, Sampled):
        raise NodeRefused("takes the LATENT of a sampler: there is nothing drawn to decode")
    _check_same(sampled.checkpoint, given["vae"], "vae")
    return (sampled,)


def save(node: str, given: Mapping[str, Any]) -> tuple[Any, ...]:
    """Where the pictures are asked for."""
    if not isinstance(given["images"], Sampled):
        raise NodeRefused("takes the IMAGE of VAEDecode: there is nothing drawn to save")
    return (given["images"],)


def _sampled(node: str, given: Mapping[str, Any], seed: int, denoise: float) -> Sampled:
    model, canvas = given["model"], _canvas(given["latent_image"])
    positive, negative = given["positive"], given["negative"]
    for name, words in (("positive", positive), ("negative", negative)):
        _check_same(model.checkpoint, words.clip, name)
    if canvas.vae is not None:
        _check_same(model.checkpoint, canvas.vae, "latent_image")
    values = {
        "prompt": positive.text,
        "negative_prompt": negative.text or None,
        "guidance_scale": given["cfg"],
        "seed": seed % (MAX_SEED + 1),
        "sampler": given["sampler_name"],
        "steps": given["steps"],
        "denoise": _checked(denoise, canvas),
        "size": canvas.size,
        "num_images": canvas.batch,
        "loras": _loras(model, positive),
    }
    return Sampled(node, values, model.checkpoint, canvas.image, canvas.mask, positive.controls)


def _canvas(value: object) -> Canvas:
    if not isinstance(value, Canvas):
        raise NodeRefused("takes an empty LATENT or one of a file: one graph draws once")
    return value


def _checked(denoise: float, canvas: Canvas) -> float:
    if denoise <= 0:
        raise NodeRefused("denoise must be above 0")
    if denoise < 1 and canvas.image is None:
        raise NodeRefused("denoise below 1 needs a picture to start from")
    return denoise


def _check_same(checkpoint: str, other: Weights, name: str) -> None:
    if other.checkpoint != checkpoint:
        raise NodeRefused(f"{name} is of {other.checkpoint}, the model is {checkpoint}")


def _loras(model: Weights, positive: Words) -> list[dict[str, Any]]:
    """Those of the MODEL; a CLIP without them is that of a loader for the model only."""
    if set(positive.clip.loras) - set(model.loras):
        raise NodeRefused("the CLIP has a LoRA that the MODEL has not")
    return [{"name": name, "scale": scale} for name, scale in model.loras]
