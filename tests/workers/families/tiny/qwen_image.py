"""Qwen-Image."""

from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKLQwenImage,
    FlowMatchEulerDiscreteScheduler,
    QwenImagePipeline,
    QwenImageTransformer2DModel,
)
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

from myriad.params import GenerationParams
from tests.workers.families.tiny import qwen
from tests.workers.families.tiny.model import Tiny


def call(pipe: Any, params: GenerationParams) -> dict[str, Any]:
    return {
        "prompt": params.prompt or " ",
        "negative_prompt": params.negative_prompt or " ",
        "true_cfg_scale": params.guidance_scale,
        "num_images_per_prompt": params.num_images,
        "guidance_scale": None,
    }


def text_encoder() -> Qwen2_5_VLForConditionalGeneration:
    seeing = {"depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2}
    return Qwen2_5_VLForConditionalGeneration(
        Qwen2_5_VLConfig(
            text_config={
                **qwen.TEXT,
                "rope_parameters": {
                    "rope_type": "default",
                    "rope_theta": 1e6,
                    "mrope_section": [1, 1, 2],
                },
            },
            vision_config={**seeing, "out_hidden_size": 16},
        )
    )


def save(folder: Path) -> Path:
    torch.manual_seed(3)
    QwenImagePipeline(
        transformer=QwenImageTransformer2DModel(
            patch_size=2,
            in_channels=16,
            out_channels=4,
            num_layers=2,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=16,
            axes_dims_rope=(4, 6, 6),
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=AutoencoderKLQwenImage(
            base_dim=8,
            z_dim=4,
            dim_mult=[1, 2, 2],
            num_res_blocks=1,
            temperal_downsample=[False, True],
            latents_mean=[0.1, -0.2, 0.3, 0.0],
            latents_std=[1.1, 0.7, 1.3, 0.9],
        ),
        text_encoder=text_encoder(),
        tokenizer=qwen.tokenizer(),
    ).save_pretrained(folder)
    return folder


TINY = Tiny(save=save, call=call, forwards_a_step=2)
