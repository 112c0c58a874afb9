"""Tiny models of the real classes with random weights, saved as standard diffusers folders."""

from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLImg2ImgPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
)

MAX_TOKENS = 16


def tokenizer() -> CLIPTokenizer:
    """One token a byte: the alphabet of byte-level BPE, with and without the end of a word."""
    from tokenizers.pre_tokenizers import ByteLevel

    letters = sorted(ByteLevel.alphabet())
    words = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{each}</w>" for each in letters)]
    vocab = {word: place for place, word in enumerate(words)}
    return CLIPTokenizer(vocab=vocab, merges=[], model_max_length=MAX_TOKENS)


def text_config(tokens: int, projection: int = 32) -> CLIPTextConfig:
    return CLIPTextConfig(
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
        vocab_size=tokens,
        hidden_size=32,
        intermediate_size=37,
        num_attention_heads=4,
        num_hidden_layers=3,
        max_position_embeddings=MAX_TOKENS,
        projection_dim=projection,
        hidden_act="gelu",
    )


def vae() -> AutoencoderKL:
    """Two levels: latents are half the picture each way, so that a scale of 8 would show."""
    return AutoencoderKL(
        block_out_channels=(32, 64),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4,
        sample_size=32,
    )


def unet(**config: Any) -> UNet2DConditionModel:
    return UNet2DConditionModel(
        block_out_channels=(32, 64),
        layers_per_block=1,
        sample_size=16,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        **config,
    )


def scheduler() -> DDIMScheduler:
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )


def save_sd(folder: Path) -> Path:
    """A StableDiffusionPipeline."""
    torch.manual_seed(0)
    words = tokenizer()
    StableDiffusionPipeline(
        vae=vae(),
        text_encoder=CLIPTextModel(text_config(len(words))),
        tokenizer=words,
        unet=unet(cross_attention_dim=32, attention_head_dim=8),
        scheduler=scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)
    return folder


def save_sdxl_refiner(folder: Path) -> Path:
    """Image-to-image with the second text encoder alone, and a score for beauty."""
    torch.manual_seed(2)
    words = tokenizer()
    StableDiffusionXLImg2ImgPipeline(
        vae=vae(),
        text_encoder=None,
        text_encoder_2=CLIPTextModelWithProjection(text_config(len(words))),
        tokenizer=None,
        tokenizer_2=words,
        unet=unet(
            cross_attention_dim=32,
            attention_head_dim=(2, 4),
            use_linear_projection=True,
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            transformer_layers_per_block=(1, 1),
            projection_class_embeddings_input_dim=72,
        ),
        scheduler=scheduler(),
        requires_aesthetics_score=True,
        add_watermarker=False,
    ).save_pretrained(folder)
    return folder


def save_sdxl(folder: Path) -> Path:
    """A StableDiffusionXLPipeline, with its two text encoders."""
    torch.manual_seed(1)
    words = tokenizer()
    StableDiffusionXLPipeline(
        vae=vae(),
        text_encoder=CLIPTextModel(text_config(len(words))),
        text_encoder_2=CLIPTextModelWithProjection(text_config(len(words))),
        tokenizer=words,
        tokenizer_2=words,
        unet=unet(
            cross_attention_dim=64,
            attention_head_dim=(2, 4),
            use_linear_projection=True,
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            transformer_layers_per_block=(1, 1),
            projection_class_embeddings_input_dim=80,
        ),
        scheduler=scheduler(),
        add_watermarker=False,
    ).save_pretrained(folder)
    return folder
