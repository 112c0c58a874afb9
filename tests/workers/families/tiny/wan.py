"""Wan: one transformer, two that share the steps, and the one with a time for each token."""

from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKLWan,
    UniPCMultistepScheduler,
    WanPipeline,
    WanTransformer3DModel,
)
from transformers import UMT5Config, UMT5EncoderModel

from myriad.catalog import Defaults, Limits
from myriad.params import GenerationParams
from tests.workers.families.tiny import t5
from tests.workers.families.tiny.model import FROM_TEXT, MIXED_TEXT, Tiny

SMALL_VIDEO = {"num_frames": 5, "width": 16, "height": 32}
MIXED_VIDEOS = tuple({**asked, "num_frames": 5} for asked in MIXED_TEXT[:5])


def call(pipe: Any, params: GenerationParams) -> dict[str, Any]:
    return {
        "prompt": params.prompt,
        "negative_prompt": params.negative_prompt or None,
        "guidance_scale": params.guidance_scale,
        "num_videos_per_prompt": params.num_images,
        "num_frames": params.num_frames,
    }


def save(folder: Path, **options: Any) -> Path:
    """With `boundary_ratio` it has two transformers; `expand_timesteps` is Wan 2.2 5B's."""
    torch.manual_seed(6)
    words = t5.tokenizer(model_max_length=512)
    has_two = "boundary_ratio" in options
    WanPipeline(
        tokenizer=words,
        text_encoder=UMT5EncoderModel(
            UMT5Config(
                vocab_size=len(words), d_model=32, d_kv=8, d_ff=37, num_layers=1, num_heads=4
            )
        ),
        vae=vae(),
        scheduler=UniPCMultistepScheduler(
            prediction_type="flow_prediction",
            use_flow_sigmas=True,
            num_train_timesteps=1000,
            flow_shift=3.0,
        ),
        transformer=transformer(),
        transformer_2=transformer() if has_two else None,
        **options,
    ).save_pretrained(folder)
    return folder


def vae() -> AutoencoderKLWan:
    """Four frames in one, but only half the size each way, so that a scale of 8 would show."""
    return AutoencoderKLWan(
        base_dim=4,
        z_dim=16,
        dim_mult=[1, 1, 1],
        num_res_blocks=1,
        temperal_downsample=[True, True],
        scale_factor_spatial=4,
    )


def transformer() -> WanTransformer3DModel:
    return WanTransformer3DModel(
        num_attention_heads=2,
        attention_head_dim=12,
        text_dim=32,
        freq_dim=32,
        ffn_dim=32,
        num_layers=1,
        cross_attn_norm=True,
        rope_max_seq_len=32,
    )


TINY = Tiny(
    save=save,
    call=call,
    defaults=Defaults(width=16, height=32, num_inference_steps=3, fps=8),
    limits=Limits(min_size=16, size_multiple=16, max_frames=9, frame_multiple=4),
    kinds=(*FROM_TEXT, SMALL_VIDEO, {**SMALL_VIDEO, "num_images": 2}),
    mixed=(*MIXED_TEXT, *MIXED_VIDEOS),
    forwards_a_step=2,
)
