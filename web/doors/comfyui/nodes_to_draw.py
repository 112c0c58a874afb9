"""Nodes that draw: canvases, samplers, decoding and saving."""

from collections.abc import Mapping
from typing import Final

from web.doors.comfyui import sampling
from web.doors.comfyui.spec import Input, NodeSpec, choice, link, number, same, whole

_SIDE = 16_384
_SEED = whole(0, 0, 2**64 - 1)
_EMPTY = {
    "width": whole(512, 16, _SIDE, 8),
    "height": whole(512, 16, _SIDE, 8),
    "batch_size": whole(1, 1, 4096),
}
_SAMPLER = {
    "steps": whole(20, 1, 10_000),
    "cfg": number(8.0, 0, 100, 0.1),
    "sampler_name": choice("samplers"),
    "scheduler": choice("spacings"),
    "positive": link("CONDITIONING"),
    "negative": link("CONDITIONING"),
    "latent_image": link("LATENT"),
}
_LATENT = same("LATENT")


TO_DRAW: Final[Mapping[str, NodeSpec]] = {
    "EmptyLatentImage": NodeSpec("Empty Latent Image", "latent", _EMPTY, _LATENT, sampling.empty),
    "EmptySD3LatentImage": NodeSpec(
        "EmptySD3LatentImage", "latent/sd3", _EMPTY, _LATENT, sampling.empty
    ),
    "VAEEncode": NodeSpec(
        "VAE Encode",
        "latent",
        {"pixels": link("IMAGE"), "vae": link("VAE")},
        _LATENT,
        sampling.encode,
    ),
    "VAEEncodeForInpaint": NodeSpec(
        "VAE Encode (for Inpainting)",
        "latent/inpaint",
        {
            "pixels": link("IMAGE"),
            "vae": link("VAE"),
            "mask": link("MASK"),
            "grow_mask_by": whole(6, 0, 64),
        },
        _LATENT,
        sampling.encode_for_inpaint,
    ),
    "SetLatentNoiseMask": NodeSpec(
        "Set Latent Noise Mask",
        "latent/inpaint",
        {"samples": link("LATENT"), "mask": link("MASK")},
        _LATENT,
        sampling.set_noise_mask,
    ),
    "KSampler": NodeSpec(
        "KSampler",
        "sampling",
        {"model": link("MODEL"), "seed": _SEED, **_SAMPLER, "denoise": number(1.0, 0, 1)},
        _LATENT,
        sampling.sample,
    ),
    "KSamplerAdvanced": NodeSpec(
        "KSampler (Advanced)",
        "sampling",
        {
            "model": link("MODEL"),
            "add_noise": choice(("enable", "disable")),
            "noise_seed": _SEED,
            **_SAMPLER,
            "start_at_step": whole(0, 0, 10_000),
            "end_at_step": whole(10_000, 0, 10_000),
            "return_with_leftover_noise": choice(("disable", "enable")),
        },
        _LATENT,
        sampling.sample_advanced,
    ),
    "VAEDecode": NodeSpec(
        "VAE Decode",
        "latent",
        {"samples": link("LATENT"), "vae": link("VAE")},
        same("IMAGE"),
        sampling.decode,
    ),
    "SaveImage": NodeSpec(
        "Save Image",
        "image",
        {"images": link("IMAGE"), "filename_prefix": Input("STRING", "ComfyUI")},
        (),
        sampling.save,
        is_output=True,
    ),
    "PreviewImage": NodeSpec(
        "Preview Image", "image", {"images": link("IMAGE")}, (), sampling.save, is_output=True
    ),
}
