"""Nodes that name what is there: checkpoints, LoRAs, words, files."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from web.doors.comfyui.file_name import digests_of
from web.doors.comfyui.problem import NodeRefused
from web.doors.comfyui.value import Control, File, Mask, Weights, Words

_CHANNELS = {"red": "R", "green": "G", "blue": "B"}


def checkpoint(node: str, given: Mapping[str, Any]) -> tuple[Any, ...]:
    """MODEL, CLIP and VAE of one checkpoint."""
    weights = Weights(given["ckpt_name"])
    return weights, weights, weights


def lora(node: str, given: Mapping[str, Any]) -> tuple[Any, ...]:
    """MODEL and CLIP with a LoRA; here it has one weight for both."""
    name, scale = given["lora_name"], given["strength_model"]
    if given["strength_clip"] != scale:
        raise NodeRefused("strength_clip must be as strength_model: a LoRA has one weight here")
    return _with_lora(given["model"], name, scale), _with_lora(given["clip"], name, scale)


def lora_model_only(node: str, given: Mapping[str, Any]) -> tuple[Any, ...]:
    """MODEL with a LoRA."""
    return (_with_lora(given["model"], given["lora_name"], given["strength_model"]),)


def _with_lora(weights: Weights, name: str, scale: float) -> Weights:
    return replace(weights, loras=(*weights.loras, (name, scale)))


def last_layer(node: str, given: Mapping[str, Any]) -> tuple[Any, ...]:
    """CLIP as it is: only its last layer is read here."""
    if given["stop_at_clip_layer"] != -1:
        raise NodeRefused("stop_at_clip_layer must be -1")
    return (given["clip"],)


def words(node: str, given: Mapping[str, Any]) -> tuple[Any, ...]:
    """CONDITIONING from a text."""
    return (Words(given["text"], given["clip"]),)


def image(node: str, given: Mapping[str, Any]) -> tuple[Any, ...]:
    """IMAGE and MASK of a file; what is transparent in it is to be drawn anew."""
    picture, mask = digests_of(given["image"])
    return File(picture), None if mask is None else Mask(mask)


def image_mask(node: str, given: Mapping[str, Any]) -> tuple[Any, ...]:
    """MASK of one channel of a file."""
    picture, mask = digests_of(given["image"])
    if given["channel"] != "alpha":
        return (Mask(picture, _CHANNELS[given["channel"]]),)
    return (None if mask is None else Mask(mask),)


def image_to_mask(node: str, given: Mapping[str, Any]) -> tuple[Any, ...]:
    """MASK of one channel of an IMAGE."""
    if given["channel"] == "alpha":
        raise NodeRefused("an IMAGE has no alpha; take the MASK of LoadImage")
    return (Mask(file_of(given["image"]).digest, _CHANNELS[given["channel"]]),)


def invert_mask(node: str, given: Mapping[str, Any]) -> tuple[Any, ...]:
    """MASK turned inside out."""
    mask = mask_of(given["mask"])
    return (replace(mask, is_inverted=not mask.is_inverted),)


def scale(node: str, given: Mapping[str, Any]) -> tuple[Any, ...]:
    """IMAGE of another size."""
    size = (given["width"], given["height"])
    if given["crop"] != "disabled" or 0 in size:
        raise NodeRefused("crop must be disabled, and width and height be given")
    return (replace(file_of(given["image"]), size=size),)


def controlnet(node: str, given: Mapping[str, Any]) -> tuple[Any, ...]:
    """CONTROL_NET by its name."""
    return (given["control_net_name"],)


def apply(node: str, given: Mapping[str, Any]) -> tuple[Any, ...]:
    """CONDITIONING that a ControlNet guides too."""
    return (_controlled(given["conditioning"], given),)


def apply_advanced(node: str, given: Mapping[str, Any]) -> tuple[Any, ...]:
    """The same on both sides of the guidance, from the first step to the last."""
    if (given["start_percent"], given["end_percent"]) != (0, 1):
        raise NodeRefused("start_percent must be 0 and end_percent 1")
    return _controlled(given["positive"], given), _controlled(given["negative"], given)


def _controlled(conditioning: Words, given: Mapping[str, Any]) -> Words:
    control = Control(given["control_net"], file_of(given["image"]), given["strength"])
    return replace(conditioning, controls=(*conditioning.controls, control))


def file_of(value: object) -> File:
    """The IMAGE as a file. Raises NodeRefused for one that is yet to be drawn."""
    if not isinstance(value, File):
        raise NodeRefused("takes the IMAGE of LoadImage: one graph draws once")
    return value


def mask_of(value: object) -> Mask:
    """The MASK. Raises NodeRefused for that of a file without transparency."""
    if not isinstance(value, Mask):
        raise NodeRefused("the picture has no transparency to make a mask of")
    return value
