"""The published configurations, and tiny ones of the same classes.

Sources: `config.json` of stable-diffusion-v1-5/stable-diffusion-v1-5,
stabilityai/stable-diffusion-xl-base-1.0 and Wan-AI/Wan2.1-T2V-1.3B-Diffusers.
"""

from typing import Any

Config = dict[str, Any]

_CLIP_L: Config = {
    "vocab_size": 49408,
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "max_position_embeddings": 77,
    "hidden_act": "quick_gelu",
    "projection_dim": 768,
    "bos_token_id": 49406,
    "eos_token_id": 49407,
    "pad_token_id": 1,
}
_CLIP_BIG_G: Config = _CLIP_L | {
    "hidden_size": 1280,
    "intermediate_size": 5120,
    "num_hidden_layers": 32,
    "num_attention_heads": 20,
    "hidden_act": "gelu",
    "projection_dim": 1280,
}
_KL_VAE: Config = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2,
    "latent_channels": 4,
    "norm_num_groups": 32,
}

SD15: dict[str, Config] = {
    "text_encoder": _CLIP_L,
    "vae": _KL_VAE | {"sample_size": 512, "scaling_factor": 0.18215},
    "denoiser": {
        "sample_size": 64,
        "block_out_channels": (320, 640, 1280, 1280),
        "layers_per_block": 2,
        "down_block_types": (*("CrossAttnDownBlock2D",) * 3, "DownBlock2D"),
        "up_block_types": ("UpBlock2D", *("CrossAttnUpBlock2D",) * 3),
        "attention_head_dim": 8,
        "cross_attention_dim": 768,
    },
    "scheduler": {
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "steps_offset": 1,
    },
}

SDXL: dict[str, Config] = {
    "text_encoder": _CLIP_L,
    "text_encoder_2": _CLIP_BIG_G,
    "vae": _KL_VAE | {"sample_size": 1024, "scaling_factor": 0.13025, "force_upcast": True},
    "denoiser": {
        "sample_size": 128,
        "block_out_channels": (320, 640, 1280),
        "layers_per_block": 2,
        "down_block_types": ("DownBlock2D", *("CrossAttnDownBlock2D",) * 2),
        "up_block_types": (*("CrossAttnUpBlock2D",) * 2, "UpBlock2D"),
        "attention_head_dim": (5, 10, 20),
        "cross_attention_dim": 2048,
        "transformer_layers_per_block": (1, 2, 10),
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 2816,
    },
    "scheduler": SD15["scheduler"] | {"timestep_spacing": "leading"},
}

WAN: dict[str, Config] = {
    "vae": {"base_dim": 96, "z_dim": 16},
    "denoiser": {
        "patch_size": (1, 2, 2),
        "num_attention_heads": 12,
        "attention_head_dim": 128,
        "in_channels": 16,
        "out_channels": 16,
        "text_dim": 4096,
        "freq_dim": 256,
        "ffn_dim": 8960,
        "num_layers": 30,
    },
    "scheduler": {
        "prediction_type": "flow_prediction",
        "use_flow_sigmas": True,
        "flow_shift": 3.0,
    },
}

_TINY_CLIP: Config = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "projection_dim": 32,
    "bos_token_id": 0,
    "eos_token_id": 1,
}
_TINY_VAE: Config = {"block_out_channels": (8, 8, 8, 16), "layers_per_block": 1}
_TINY_UNET: Config = {"layers_per_block": 1, "norm_num_groups": 8}

TINY: dict[str, dict[str, Config]] = {
    "sd": {
        "text_encoder": _TINY_CLIP,
        "vae": _TINY_VAE | {"norm_num_groups": 4},
        "denoiser": _TINY_UNET
        | {
            "block_out_channels": (16, 32),
            "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
            "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
            "cross_attention_dim": 32,
            "attention_head_dim": 2,
        },
    },
    "sdxl": {
        "text_encoder": _TINY_CLIP,
        "text_encoder_2": _TINY_CLIP,
        "vae": _TINY_VAE | {"norm_num_groups": 4},
        "denoiser": _TINY_UNET
        | {
            "block_out_channels": (16, 32),
            "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
            "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
            "cross_attention_dim": 64,
            "attention_head_dim": (1, 2),
            "transformer_layers_per_block": (1, 2),
            "addition_time_embed_dim": 8,
            "projection_class_embeddings_input_dim": 80,
        },
    },
    "wan": {
        "vae": {"base_dim": 8},
        "denoiser": {
            "num_attention_heads": 2,
            "attention_head_dim": 12,
            "text_dim": 32,
            "freq_dim": 16,
            "ffn_dim": 32,
            "num_layers": 2,
        },
    },
}
"""What the tiny configurations change in the true ones."""


def configs(family: str, is_tiny: bool) -> dict[str, Config]:
    """The configuration of each component of a family, by name."""
    true = {"sd": SD15, "sdxl": SDXL, "wan": WAN}[family]
    if not is_tiny:
        return true
    return {name: config | TINY[family].get(name, {}) for name, config in true.items()}
