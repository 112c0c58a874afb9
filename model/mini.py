"""The second model: one shape on a 64-pixel icon, by half of the base model's denoiser.

An icon is the middle of a 128-pixel picture, so the base model's autoencoder and text encoder
serve it as they are, and every attribute but the place means the same. Its denoiser is the base
model's without the innermost level and the middle, trained on to do without them.
"""

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from model.check import Verdict, check
from model.denoiser import SCHEDULE, Conditioner, loss_of
from model.description import Description, describe
from model.draw import draw
from model.export import build_scheduler
from model.fit import Fit
from model.lesson import Lesson, Lessons, cached_latents
from model.parts import Pipeline, Unet, diffusers
from model.scene import POSITIONS, Scene, Split, sample_scene

NAME = "myriad-mini"
SIDE, CANVAS = 64, 128
MARGIN = (CANVAS - SIDE) // 2
SCENES = 12288
BATCH = 48
PEAK_LR = 1.5e-3
REACH = 0.02


def build_mini_unet() -> Unet:
    """The base UNet's two outer levels, for 8 x 8 latents."""
    return diffusers.UNet2DConditionModel(
        sample_size=SIDE // 8,
        block_out_channels=(64, 96),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        mid_block_type=None,
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        norm_num_groups=16,
        cross_attention_dim=128,
        attention_head_dim=(4, 6),
    )


def cut_from(base: Unet) -> Unet:
    """A small UNet with the weights of the base UNet's two outer levels."""
    unet, weights = build_mini_unet(), base.state_dict()
    unet.load_state_dict({name: weights[_base_name(name)] for name in unet.state_dict()})
    return unet


def _base_name(name: str) -> str:
    """What a weight is called in the base UNet, whose way up has one level more before it."""
    for level in (0, 1):
        mine = f"up_blocks.{level}."
        if name.startswith(mine):
            return f"up_blocks.{level + 1}." + name.removeprefix(mine)
    return name


def sample_icon(rng: random.Random, split: Split = "train") -> Scene:
    """A scene on the whole canvas with one thing near the middle."""
    scene = sample_scene(rng, split, pair_share=0.0)
    x, y = (0.5 + rng.uniform(-REACH, REACH) for _ in range(2))
    return replace(scene, things=(replace(scene.things[0], x=x, y=y),), layout="center")


def draw_icon(scene: Scene, rng: random.Random | None = None) -> Image.Image:
    """The middle of the scene's picture, SIDE pixels wide."""
    end = MARGIN + SIDE
    return draw(scene, rng).crop((MARGIN, MARGIN, end, end))


def check_icon(image: Image.Image, asked: Description) -> Verdict:
    """Judge an icon, laid back on its canvas, by everything asked for but the place."""
    rim = np.asarray(image.convert("RGB"))[:2].reshape(-1, 3)
    red, green, blue = (int(level) for level in np.median(rim, axis=0))
    canvas = Image.new("RGB", (CANVAS, CANVAS), (red, green, blue))
    canvas.paste(image, (MARGIN, MARGIN))
    return check(canvas, replace(asked, layout=None))


def describe_icon(scene: Scene, rng: random.Random, fully_named: int | None = None) -> Description:
    """A description that names any place at all, so that a place in a prompt means nothing."""
    told = describe(scene, rng, fully_named)
    return replace(told, layout=rng.choice(list(POSITIONS)) if told.layout else None)


def load_lessons(pipeline: Pipeline, folder: Path, rng: random.Random) -> Lessons:
    """Draw and encode the icons, or read them from `folder`."""
    order = random.Random("icons")
    scenes = [sample_icon(order) for _ in range(SCENES)]
    path = folder / f"{NAME}-latents.pt"
    latents = cached_latents(path, pipeline.vae, lambda: [draw_icon(s, order) for s in scenes])
    lessons = [Lesson(scene, describe_icon) for scene in scenes]
    conditioner = Conditioner(pipeline.tokenizer, pipeline.text_encoder, rng)
    return Lessons({(SIDE, SIDE): (lessons, latents)}, conditioner)


def train_mini(pipeline: Pipeline, folder: Path, minutes: float) -> Unet:
    """A part of the pipeline's UNet, trained on for `minutes` on icons; resumes in `folder`."""
    rng = random.Random(NAME)
    lessons = load_lessons(pipeline, folder, rng)
    torch.manual_seed(500)
    unet = cut_from(pipeline.unet)
    scheduler = diffusers.DDPMScheduler(**SCHEDULE)

    def loss() -> Tensor:
        batch = lessons.batch(BATCH)
        return loss_of(unet, scheduler, batch.latents, batch.states)

    Fit(unet, loss, folder / f"{NAME}.pt", rng, ema_decay=0.995).train(minutes, PEAK_LR)
    return unet.eval()


def build_mini(pipeline: Pipeline, unet: Unet) -> Pipeline:
    """A pipeline of the small UNet and the base pipeline's other parts."""
    return diffusers.StableDiffusionPipeline(
        vae=pipeline.vae,
        text_encoder=pipeline.text_encoder,
        tokenizer=pipeline.tokenizer,
        unet=unet,
        scheduler=build_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
