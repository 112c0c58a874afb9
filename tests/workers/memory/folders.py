"""Folders of tiny pipelines, configs only: enough to trace, nothing to load."""

import json
from pathlib import Path
from typing import Any, Final

_DOWN: Final = ["DownBlock2D", "CrossAttnDownBlock2D"]
_UP: Final = ["CrossAttnUpBlock2D", "UpBlock2D"]
_KL: Final = {
    "block_out_channels": [32, 64],
    "down_block_types": ["DownEncoderBlock2D"] * 2,
    "up_block_types": ["UpDecoderBlock2D"] * 2,
}
_UNET: Final = {
    "block_out_channels": [32, 64],
    "layers_per_block": 1,
    "down_block_types": _DOWN,
    "up_block_types": _UP,
    "cross_attention_dim": 32,
    "attention_head_dim": 8,
}
_SDXL_UNET: Final = _UNET | {
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 8,
    "projection_class_embeddings_input_dim": 80,
    "use_linear_projection": True,
}
_WAN_VAE: Final = {"base_dim": 4, "z_dim": 4, "dim_mult": [1, 1, 1, 1], "num_res_blocks": 1}
_MEANS: Final = {"latents_mean": [0.0] * 4, "latents_std": [1.0] * 4}
_HEADS: Final = {"attention_head_dim": 16, "num_attention_heads": 2}

_DDIM: Final = {"clip_sample": False, "steps_offset": 1}

# Family: pipeline, denoiser (class, config), VAE (class, config), scheduler.
FAMILIES: Final[dict[str, tuple[str, tuple[str, Any], tuple[str, Any], str]]] = {
    "sd": (
        "StableDiffusionPipeline",
        ("UNet2DConditionModel", _UNET),
        ("AutoencoderKL", _KL),
        "DDIMScheduler",
    ),
    "sdxl": (
        "StableDiffusionXLPipeline",
        ("UNet2DConditionModel", _SDXL_UNET),
        ("AutoencoderKL", _KL),
        "EulerDiscreteScheduler",
    ),
    "sd3": (
        "StableDiffusion3Pipeline",
        (
            "SD3Transformer2DModel",
            _HEADS
            | {
                "sample_size": 16,
                "patch_size": 2,
                "in_channels": 4,
                "out_channels": 4,
                "num_layers": 1,
                "joint_attention_dim": 32,
                "caption_projection_dim": 32,
                "pooled_projection_dim": 24,
            },
        ),
        ("AutoencoderKL", _KL | {"shift_factor": 0.1}),
        "FlowMatchEulerDiscreteScheduler",
    ),
    "flux": (
        "FluxPipeline",
        (
            "FluxTransformer2DModel",
            _HEADS
            | {
                "in_channels": 16,
                "num_layers": 1,
                "num_single_layers": 1,
                "joint_attention_dim": 32,
                "pooled_projection_dim": 24,
                "axes_dims_rope": [4, 4, 8],
                "guidance_embeds": True,
            },
        ),
        ("AutoencoderKL", _KL | {"shift_factor": 0.1}),
        "FlowMatchEulerDiscreteScheduler",
    ),
    "flux2-klein": (
        "Flux2KleinPipeline",
        (
            "Flux2Transformer2DModel",
            _HEADS
            | {
                "in_channels": 16,
                "num_layers": 1,
                "num_single_layers": 1,
                "joint_attention_dim": 32,
                "timestep_guidance_channels": 32,
                "axes_dims_rope": [4, 4, 4, 4],
                "guidance_embeds": False,
            },
        ),
        ("AutoencoderKLFlux2", _KL | {"latent_channels": 4}),
        "FlowMatchEulerDiscreteScheduler",
    ),
    "wan": (
        "WanPipeline",
        (
            "WanTransformer3DModel",
            _HEADS
            | {
                "in_channels": 4,
                "out_channels": 4,
                "text_dim": 32,
                "freq_dim": 32,
                "ffn_dim": 32,
                "num_layers": 1,
                "rope_max_seq_len": 32,
                "cross_attn_norm": True,
                "qk_norm": "rms_norm_across_heads",
            },
        ),
        ("AutoencoderKLWan", _WAN_VAE | _MEANS | {"temperal_downsample": [False, True, True]}),
        "UniPCMultistepScheduler",
    ),
    "qwen-image": (
        "QwenImagePipeline",
        (
            "QwenImageTransformer2DModel",
            _HEADS
            | {
                "in_channels": 16,
                "out_channels": 4,
                "num_layers": 1,
                "joint_attention_dim": 32,
                "axes_dims_rope": [4, 6, 6],
            },
        ),
        (
            "AutoencoderKLQwenImage",
            _WAN_VAE | _MEANS | {"temperal_downsample": [False, True, True]},
        ),
        "FlowMatchEulerDiscreteScheduler",
    ),
    "z-image": (
        "ZImagePipeline",
        (
            "ZImageTransformer2DModel",
            {
                "in_channels": 4,
                "dim": 32,
                "n_layers": 1,
                "n_refiner_layers": 1,
                "n_heads": 2,
                "n_kv_heads": 2,
                "cap_feat_dim": 32,
                "axes_dims": [8, 4, 4],
                "axes_lens": [256, 32, 32],
            },
        ),
        ("AutoencoderKL", _KL | {"shift_factor": 0.1}),
        "FlowMatchEulerDiscreteScheduler",
    ),
    "ltx": (
        "LTXPipeline",
        (
            "LTXVideoTransformer3DModel",
            _HEADS
            | {
                "in_channels": 8,
                "out_channels": 8,
                "num_layers": 1,
                "cross_attention_dim": 32,
                "caption_channels": 24,
            },
        ),
        (
            "AutoencoderKLLTXVideo",
            {
                "latent_channels": 8,
                "block_out_channels": [8, 8, 8, 8],
                "decoder_block_out_channels": [8, 8, 8, 8],
                "layers_per_block": [1, 1, 1, 1, 1],
                "decoder_layers_per_block": [1, 1, 1, 1, 1],
            },
        ),
        "FlowMatchEulerDiscreteScheduler",
    ),
}


def save_configs(family: str, folder: Path) -> Path:
    """A model folder of that family without any weights."""
    pipeline, denoiser, vae, scheduler = FAMILIES[family]
    name = "unet" if denoiser[0].startswith("UNet") else "transformer"
    index = {
        "_class_name": pipeline,
        name: ["diffusers", denoiser[0]],
        "vae": ["diffusers", vae[0]],
        "scheduler": ["diffusers", scheduler],
        "text_encoder": ["transformers", "AutoModel"],
    }
    _write(folder / "model_index.json", index)
    for part, (kind, config) in ((name, denoiser), ("vae", vae)):
        _write(folder / part / "config.json", {"_class_name": kind, **config})
    values = {"_class_name": scheduler, **(_DDIM if scheduler == "DDIMScheduler" else {})}
    _write(folder / "scheduler" / "scheduler_config.json", values)
    return folder


def _write(path: Path, values: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values), "utf-8")
