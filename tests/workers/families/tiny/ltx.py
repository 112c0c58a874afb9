"""LTX-Video."""

from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKLLTXVideo,
    FlowMatchEulerDiscreteScheduler,
    LTXPipeline,
    LTXVideoTransformer3DModel,
)
from transformers import T5Config, T5EncoderModel

from myriad.catalog import Defaults, Limits
from myriad.params import GenerationParams
from tests.workers.families.tiny import t5, wan
from tests.workers.families.tiny.model import FROM_TEXT, MIXED_TEXT, Tiny

FRAMES = 9


def call(pipe: Any, params: GenerationParams) -> dict[str, Any]:
    return {**wan.call(pipe, params), "frame_rate": params.fps}


def save(folder: Path, **vae_options: Any) -> Path:
    torch.manual_seed(7)
    words = t5.tokenizer(model_max_length=128)
    LTXPipeline(
        tokenizer=words,
        text_encoder=T5EncoderModel(
            T5Config(vocab_size=len(words), d_model=32, d_kv=8, d_ff=37, num_layers=1, num_heads=4)
        ),
        vae=vae(**vae_options),
        scheduler=FlowMatchEulerDiscreteScheduler(),
        transformer=LTXVideoTransformer3DModel(
            in_channels=8,
            out_channels=8,
            num_attention_heads=4,
            attention_head_dim=8,
            cross_attention_dim=32,
            num_layers=1,
            caption_channels=32,
        ),
    ).save_pretrained(folder)
    return folder


def vae(**options: Any) -> AutoencoderKLLTXVideo:
    """Four frames in one, a sixteenth of the size each way; latents have a scale of their own."""
    made = AutoencoderKLLTXVideo(
        latent_channels=8,
        block_out_channels=(8, 8, 8, 8),
        decoder_block_out_channels=(8, 8, 8, 8),
        layers_per_block=(1, 1, 1, 1, 1),
        decoder_layers_per_block=(1, 1, 1, 1, 1),
        spatio_temporal_scaling=(True, True, False, False),
        decoder_spatio_temporal_scaling=(True, True, False, False),
        patch_size=4,
        patch_size_t=1,
        encoder_causal=True,
        decoder_causal=False,
        **options,
    )
    for name, weights in made.named_parameters():
        if "per_channel_scale" in name:  # of injected noise; untrained they are zero
            weights.data.fill_(0.3)
    made.latents_mean.copy_(torch.linspace(-0.5, 0.5, 8))
    made.latents_std.copy_(torch.linspace(0.5, 1.5, 8))
    return made


TINY = Tiny(
    save=save,
    call=call,
    defaults=Defaults(width=32, height=64, num_inference_steps=3, num_frames=FRAMES, fps=8),
    limits=Limits(
        min_size=32, size_multiple=32, max_pixels=4096, max_frames=FRAMES, frame_multiple=8
    ),
    kinds=FROM_TEXT,
    mixed=MIXED_TEXT[:5],
)
