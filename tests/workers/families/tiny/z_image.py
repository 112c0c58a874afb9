"""Z-Image."""

from pathlib import Path

import torch
from diffusers import FlowMatchEulerDiscreteScheduler, ZImagePipeline, ZImageTransformer2DModel
from transformers import Qwen3Config, Qwen3Model

from tests.workers.families.tiny import qwen
from tests.workers.families.tiny.model import MIXED_PICTURES, MIXED_TEXT, Tiny
from tests.workers.families.tiny.sd import call
from tests.workers.families.tiny.sd3 import vae


def save(folder: Path) -> Path:
    torch.manual_seed(4)
    transformer = ZImageTransformer2DModel(
        in_channels=4,
        dim=32,
        n_layers=1,
        n_refiner_layers=1,
        n_heads=2,
        n_kv_heads=2,
        cap_feat_dim=16,
        axes_dims=[8, 4, 4],
        axes_lens=[512, 32, 32],
    )
    for padding in (transformer.x_pad_token, transformer.cap_pad_token):
        torch.nn.init.normal_(padding)  # they come as zeros, which would hide much
    ZImagePipeline(
        transformer=transformer,
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=vae(),
        text_encoder=Qwen3Model(Qwen3Config(**qwen.TEXT)),
        tokenizer=qwen.tokenizer(),
    ).save_pretrained(folder)
    return folder


# Its tokens are counted by thirty-two: texts of more than one such length in a batch.
_RAGGED = tuple(
    {"prompt": letter * length, "seed": length}
    for letter, length in (("a", 40), ("b", 40), ("c", 80), ("d", 81))
)
TINY = Tiny(save=save, call=call, mixed=(*MIXED_TEXT, *MIXED_PICTURES, *_RAGGED))
