"""Flux.1, with an input for guidance."""

from pathlib import Path
from typing import Any

import torch
from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel
from transformers import CLIPTextModel

from myriad.params import GenerationParams
from tests.workers import tiny
from tests.workers.families.tiny import t5
from tests.workers.families.tiny.model import Tiny
from tests.workers.families.tiny.sd3 import t5_encoder, vae


def call(pipe: Any, params: GenerationParams) -> dict[str, Any]:
    arguments = {
        "prompt": params.prompt,
        "guidance_scale": params.guidance_scale,
        "num_images_per_prompt": params.num_images,
    }
    if params.negative_prompt and params.guidance_scale > 1:
        arguments |= {
            "negative_prompt": params.negative_prompt,
            "true_cfg_scale": params.guidance_scale,
            "guidance_scale": 1.0,
        }
    return arguments


def save(folder: Path) -> Path:
    torch.manual_seed(1)
    words = tiny.tokenizer()
    FluxPipeline(
        transformer=FluxTransformer2DModel(
            in_channels=16,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=32,
            pooled_projection_dim=32,
            axes_dims_rope=(4, 4, 8),
            guidance_embeds=True,
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=vae(),
        text_encoder=CLIPTextModel(tiny.text_config(len(words))),
        tokenizer=words,
        text_encoder_2=t5_encoder(32),
        tokenizer_2=t5.tokenizer(model_max_length=512),
    ).save_pretrained(folder)
    return folder


TINY = Tiny(save=save, call=call)
