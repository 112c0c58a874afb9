"""The LoRAs: small additions to the UNet that draw the same captions in another style."""

import random
from functools import partial
from pathlib import Path

import torch
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from PIL import Image
from torch import Tensor

from model.denoiser import SCHEDULE, Conditioner, loss_of
from model.description import describe
from model.fit import Fit
from model.latents import scenes_of
from model.lesson import SIZES, Lesson, Lessons, cached_latents
from model.parts import Pipeline, Unet, diffusers
from model.scene import Scene
from model.style import Style

SCENES = 2048
BATCH = 32
PEAK_LR = 2e-3
RANK = 8
TARGETS = ("to_q", "to_k", "to_v", "to_out.0", "conv1", "conv2", "conv_out")


def load_lessons(pipeline: Pipeline, folder: Path, style: Style, rng: random.Random) -> Lessons:
    """Draw the training scenes in the style and encode them, or read them from `folder`."""
    files = {}
    for size, share in SIZES.items():
        scenes = scenes_of(size, 0, round(SCENES * share))
        path = folder / f"{style.name}-{size[0]}x{size[1]}.pt"
        pictures = partial(_draw_all, style, scenes)
        latents = cached_latents(path, pipeline.vae, pictures)
        files[size] = ([Lesson(scene, describe) for scene in scenes], latents)
    return Lessons(files, Conditioner(pipeline.tokenizer, pipeline.text_encoder, rng))


def _draw_all(style: Style, scenes: list[Scene]) -> list[Image.Image]:
    rng = random.Random(f"colours {style.name}")
    return [style.draw(scene, rng) for scene in scenes]


def train_lora(pipeline: Pipeline, folder: Path, style: Style, minutes: float) -> None:
    """Give the pipeline's UNet a LoRA trained for `minutes`; resumes in `folder`."""
    rng = random.Random(style.name)
    lessons = load_lessons(pipeline, folder, style, rng)
    torch.manual_seed(400)
    unet = pipeline.unet
    unet.requires_grad_(False)
    unet.add_adapter(LoraConfig(r=RANK, lora_alpha=RANK, target_modules=list(TARGETS)))
    scheduler = diffusers.DDPMScheduler(**SCHEDULE)

    def loss() -> Tensor:
        batch = lessons.batch(BATCH)
        return loss_of(unet, scheduler, batch.latents, batch.states)

    Fit(unet, loss, folder / f"{style.name}.pt", rng).train(minutes, PEAK_LR)


def save_lora(unet: Unet, target: Path) -> None:
    """Write the UNet's LoRA in half floats where `load_lora_weights` finds it.

    The names stay PEFT's: diffusers' older ones are for the attention alone, and a file in both
    kinds loads half of its layers without a word.
    """
    layers = get_peft_model_state_dict(unet)
    halves = {name: tensor.detach().half().contiguous() for name, tensor in layers.items()}
    diffusers.StableDiffusionPipeline.save_lora_weights(target, unet_lora_layers=halves)
