"""Flux.2 klein, not distilled, with statistics in its VAE that are no identity."""

from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKLFlux2,
    FlowMatchEulerDiscreteScheduler,
    Flux2KleinPipeline,
    Flux2Transformer2DModel,
)
from transformers import Qwen3Config, Qwen3ForCausalLM

from myriad.params import GenerationParams
from tests.workers.families.tiny import qwen
from tests.workers.families.tiny.model import FROM_TEXT, MIXED_TEXT, Tiny

# The pipeline reads the states after layers 9, 18 and 27.
_TEXT = {**qwen.TEXT, "num_hidden_layers": 27, "num_attention_heads": 1, "intermediate_size": 4}


def call(pipe: Any, params: GenerationParams) -> dict[str, Any]:
    """Its call has no negative prompt, only embeddings of one."""
    negative, _ = pipe.encode_prompt(params.negative_prompt)
    return {
        "prompt": params.prompt,
        "negative_prompt_embeds": negative,
        "guidance_scale": params.guidance_scale,
        "num_images_per_prompt": params.num_images,
    }


def vae() -> AutoencoderKLFlux2:
    made = AutoencoderKLFlux2(
        block_out_channels=(32, 64),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4,
        sample_size=32,
    )
    made.bn.running_mean.normal_()
    made.bn.running_var.uniform_(0.5, 2.0)
    return made


def save(folder: Path) -> Path:
    torch.manual_seed(2)
    Flux2KleinPipeline(
        transformer=Flux2Transformer2DModel(
            in_channels=16,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=48,
            timestep_guidance_channels=32,
            axes_dims_rope=(4, 4, 4, 4),
            guidance_embeds=False,
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=vae(),
        text_encoder=Qwen3ForCausalLM(Qwen3Config(**_TEXT)),
        tokenizer=qwen.tokenizer(),
    ).save_pretrained(folder)
    return folder


TINY = Tiny(save=save, call=call, kinds=FROM_TEXT, mixed=MIXED_TEXT, forwards_a_step=2)
