"""Nodes that name what is there, and those that prepare pictures and words."""

from collections.abc import Mapping
from typing import Final

from web.doors.comfyui import loading
from web.doors.comfyui.spec import Input, NodeSpec, choice, link, number, same, whole

_SIDE = 16_384
_FILE = Input("FILE", choices="files", options={"image_upload": True})
_CHANNEL = choice(("alpha", "red", "green", "blue"))
_COLOUR = choice(("red", "green", "blue", "alpha"))
_WAYS = choice(("nearest-exact", "bilinear", "area", "bicubic", "lanczos"))
_STRENGTH = number(1.0, -100, 100)
_MASK = same("MASK")


def _loader(title: str, name: str, kind: str) -> NodeSpec:
    """A loader of parts. Clients look for its list, which is empty: a checkpoint has its own."""
    return NodeSpec(
        title, "loaders", {name: choice("none")}, same(kind), lambda node, given: (None,)
    )


TO_LOAD: Final[Mapping[str, NodeSpec]] = {
    "CheckpointLoaderSimple": NodeSpec(
        "Load Checkpoint",
        "loaders",
        {"ckpt_name": choice("checkpoints")},
        same("MODEL", "CLIP", "VAE"),
        loading.checkpoint,
    ),
    "LoraLoader": NodeSpec(
        "Load LoRA",
        "loaders",
        {
            "model": link("MODEL"),
            "clip": link("CLIP"),
            "lora_name": choice("loras"),
            "strength_model": _STRENGTH,
            "strength_clip": _STRENGTH,
        },
        same("MODEL", "CLIP"),
        loading.lora,
    ),
    "LoraLoaderModelOnly": NodeSpec(
        "LoraLoaderModelOnly",
        "loaders",
        {"model": link("MODEL"), "lora_name": choice("loras"), "strength_model": _STRENGTH},
        same("MODEL"),
        loading.lora_model_only,
    ),
    "CLIPSetLastLayer": NodeSpec(
        "CLIP Set Last Layer",
        "conditioning",
        {"clip": link("CLIP"), "stop_at_clip_layer": whole(-1, -24, -1)},
        same("CLIP"),
        loading.last_layer,
    ),
    "CLIPTextEncode": NodeSpec(
        "CLIP Text Encode (Prompt)",
        "conditioning",
        {"text": Input("STRING", options={"multiline": True}), "clip": link("CLIP")},
        same("CONDITIONING"),
        loading.words,
    ),
    "ControlNetLoader": NodeSpec(
        "Load ControlNet Model",
        "loaders",
        {"control_net_name": choice("controlnets")},
        same("CONTROL_NET"),
        loading.controlnet,
    ),
    "ControlNetApply": NodeSpec(
        "Apply ControlNet (OLD)",
        "conditioning/controlnet",
        {
            "conditioning": link("CONDITIONING"),
            "control_net": link("CONTROL_NET"),
            "image": link("IMAGE"),
            "strength": number(1.0, 0, 10),
        },
        same("CONDITIONING"),
        loading.apply,
    ),
    "ControlNetApplyAdvanced": NodeSpec(
        "Apply ControlNet",
        "conditioning/controlnet",
        {
            "positive": link("CONDITIONING"),
            "negative": link("CONDITIONING"),
            "control_net": link("CONTROL_NET"),
            "image": link("IMAGE"),
            "strength": number(1.0, 0, 10),
            "start_percent": number(0.0, 0, 1, 0.001),
            "end_percent": number(1.0, 0, 1, 0.001),
            "vae": Input("VAE", is_required=False),
        },
        (("CONDITIONING", "positive"), ("CONDITIONING", "negative")),
        loading.apply_advanced,
    ),
    "VAELoader": _loader("Load VAE", "vae_name", "VAE"),
    "UNETLoader": _loader("Load Diffusion Model", "unet_name", "MODEL"),
    "CLIPLoader": _loader("Load CLIP", "clip_name", "CLIP"),
    "LoadImage": NodeSpec(
        "Load Image", "image", {"image": _FILE}, same("IMAGE", "MASK"), loading.image
    ),
    "LoadImageMask": NodeSpec(
        "Load Image (as Mask)",
        "mask",
        {"image": _FILE, "channel": _CHANNEL},
        _MASK,
        loading.image_mask,
    ),
    "ImageToMask": NodeSpec(
        "Convert Image to Mask",
        "mask",
        {"image": link("IMAGE"), "channel": _COLOUR},
        _MASK,
        loading.image_to_mask,
    ),
    "InvertMask": NodeSpec(
        "InvertMask", "mask", {"mask": link("MASK")}, _MASK, loading.invert_mask
    ),
    "ImageScale": NodeSpec(
        "Upscale Image",
        "image/upscaling",
        {
            "image": link("IMAGE"),
            "upscale_method": _WAYS,
            "width": whole(512, 0, _SIDE),
            "height": whole(512, 0, _SIDE),
            "crop": choice(("disabled", "center")),
        },
        same("IMAGE"),
        loading.scale,
    ),
}
