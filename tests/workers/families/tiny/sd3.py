"""Stable Diffusion 3."""

from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    FlowMatchEulerDiscreteScheduler,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
)
from transformers import CLIPTextModelWithProjection, T5Config, T5EncoderModel

from tests.workers import tiny
from tests.workers.families.tiny import t5
from tests.workers.families.tiny.model import Tiny
from tests.workers.families.tiny.sd import call


def vae(channels: int = 4) -> AutoencoderKL:
    """Two levels; a scale, and a shift, that are no identity."""
    return AutoencoderKL(
        block_out_channels=(32, 64),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=channels,
        sample_size=32,
        scaling_factor=1.5,
        shift_factor=0.06,
        use_quant_conv=False,
        use_post_quant_conv=False,
    )


def t5_encoder(width: int) -> T5EncoderModel:
    """One layer, for the tokens of `t5.tokenizer`."""
    config = T5Config(
        vocab_size=len(t5.tokenizer(512)),
        d_model=width,
        d_kv=8,
        d_ff=37,
        num_layers=1,
        num_heads=4,
    )
    return T5EncoderModel(config)


def save(folder: Path) -> Path:
    torch.manual_seed(0)
    words = tiny.tokenizer()
    clips = [CLIPTextModelWithProjection(tiny.text_config(len(words), 16)) for _ in range(2)]
    StableDiffusion3Pipeline(
        transformer=SD3Transformer2DModel(
            sample_size=64,
            patch_size=2,
            in_channels=4,
            out_channels=4,
            num_layers=2,
            attention_head_dim=8,
            num_attention_heads=4,
            joint_attention_dim=64,
            caption_projection_dim=32,
            pooled_projection_dim=32,
            pos_embed_max_size=64,
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=vae(),
        text_encoder=clips[0],
        tokenizer=words,
        text_encoder_2=clips[1],
        tokenizer_2=words,
        text_encoder_3=t5_encoder(64),
        tokenizer_3=t5.tokenizer(model_max_length=512),
    ).save_pretrained(folder)
    return folder


TINY = Tiny(save=save, call=call)
