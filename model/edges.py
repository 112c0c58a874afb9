"""The edge ControlNet: it puts the things where a map of white edges on black has them."""

import random
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import max_pool2d

from model.denoiser import SCHEDULE, Conditioner, loss_of
from model.description import Description, describe
from model.draw import draw
from model.fit import Fit
from model.lesson import SIZES, Lesson, Lessons, Size, cached_latents
from model.parts import Pipeline, Unet, diffusers
from model.scene import Scene, Thing, sample_scene
from model.vae import to_tensor

NAME = "shapes-edges"
SCENES = 2816
BATCH = 32
PEAK_LR = 1.5e-3
#: An edge is where neighbours differ by this much of 255 in any channel.
EDGE_STEP = 45
#: Widths in pixels of the lines that training shows: a detector's and a pen's.
LINE_WIDTHS = (2, 3, 5)
#: How far loose things stray, as parts of the picture: a lone one from the middle, a pair's from
#: their own places.
LONE_REACH, PAIR_REACH = 0.27, 0.06
LOOSE_RADII = (0.09, 0.23)
LOOSE_ANGLE = 20.0


def edge_map(image: Image.Image, width: int = 3) -> Image.Image:
    """White lines, `width` pixels wide or a little more, on black where the picture has edges."""
    pixels = np.array(image.convert("RGB"))  # a copy: torch wants to own it
    found = _edges(to_tensor(pixels)[None], width)[0, 0]
    return Image.fromarray((found * 255).byte().numpy()).convert("RGB")


def _edges(pixels: Tensor, width: int) -> Tensor:
    """1 where a window of `width` pixels holds an edge, else 0; (N, 3, H, W) to (N, 1, H, W)."""
    before, after = (width - 1) // 2, width // 2
    padded = torch.nn.functional.pad(pixels, (before, after, before, after), mode="replicate")
    high, low = max_pool2d(padded, width, stride=1), -max_pool2d(-padded, width, stride=1)
    return ((high - low).amax(1, keepdim=True) > EDGE_STEP / 127.5).float()


def loosen(scene: Scene, rng: random.Random) -> Scene:
    """The scene with its things astray, of any size and tilted: what only edges can tell."""
    if len(scene.things) == 1:
        centred = replace(scene.things[0], x=0.5, y=0.5)
        return replace(scene, things=(_stray(centred, LONE_REACH, rng),))
    return replace(scene, things=tuple(_stray(t, PAIR_REACH, rng) for t in scene.things))


def _stray(thing: Thing, reach: float, rng: random.Random) -> Thing:
    low, high = LOOSE_RADII
    return replace(
        thing,
        x=thing.x + rng.uniform(-reach, reach),
        y=thing.y + rng.uniform(-reach, reach),
        radius=low * (high / low) ** rng.random(),
        angle=rng.uniform(-LOOSE_ANGLE, LOOSE_ANGLE),
    )


def describe_loosely(scene: Scene, rng: random.Random) -> Description:
    """What a caption says of a loosened scene: no sizes and no places."""
    told = describe(scene, rng)
    things = tuple(replace(thing, size=None) for thing in told.things)
    return Description(things, told.background, layout=None)


def lessons_of(size: Size, count: int) -> list[Lesson]:
    """Two loosened scenes for every one that keeps to the places and sizes captions name."""
    rng = random.Random(f"edges {size}")
    lessons = []
    for i in range(count):
        scene = sample_scene(rng, "train", size)
        if i % 3 == 0:
            lessons.append(Lesson(scene, describe))
        else:
            lessons.append(Lesson(loosen(scene, rng), describe_loosely))
    return lessons


def load_lessons(pipeline: Pipeline, folder: Path, rng: random.Random) -> Lessons:
    """Draw and encode the training scenes, or read them from `folder`."""
    files = {}
    for size, share in SIZES.items():
        lessons = lessons_of(size, round(SCENES * share))
        path = folder / f"{NAME}-{size[0]}x{size[1]}.pt"
        files[size] = (lessons, cached_latents(path, pipeline.vae, partial(_draw_all, lessons)))
    return Lessons(files, Conditioner(pipeline.tokenizer, pipeline.text_encoder, rng))


def _draw_all(lessons: list[Lesson]) -> list[Image.Image]:
    rng = random.Random(f"colours {NAME}")
    return [draw(lesson.scene, rng) for lesson in lessons]


def condition(scenes: list[Scene], rng: random.Random) -> Tensor:
    """Edge maps (N, 3, H, W) of 0 and 1, in lines of one random width."""
    pixels = to_tensor(np.stack([np.asarray(draw(scene)) for scene in scenes]))
    return _edges(pixels, rng.choice(LINE_WIDTHS)).expand(-1, 3, -1, -1)


def steered(unet: Unet, controlnet: Unet, edges: Tensor) -> Unet:
    """The UNet as the loss calls it, with the ControlNet's residuals for `edges`."""

    def call(noisy: Tensor, timesteps: Tensor, states: Tensor) -> Unet:
        down, mid = controlnet(noisy, timesteps, states, edges, return_dict=False)
        return unet(
            noisy,
            timesteps,
            states,
            down_block_additional_residuals=down,
            mid_block_additional_residual=mid,
        )

    return call


def train_edges(pipeline: Pipeline, folder: Path, minutes: float) -> Unet:
    """A ControlNet trained for `minutes` against the frozen pipeline; resumes in `folder`."""
    rng = random.Random("edges")
    lessons = load_lessons(pipeline, folder, rng)
    torch.manual_seed(300)
    controlnet = diffusers.ControlNetModel.from_unet(
        pipeline.unet, conditioning_embedding_out_channels=(16, 32, 64, 96)
    )
    pipeline.unet.requires_grad_(False)
    scheduler = diffusers.DDPMScheduler(**SCHEDULE)

    def loss() -> Tensor:
        batch = lessons.batch(BATCH)
        guided = steered(pipeline.unet, controlnet, condition(batch.scenes, rng))
        return loss_of(guided, scheduler, batch.latents, batch.states)

    Fit(controlnet, loss, folder / f"{NAME}.pt", rng).train(minutes, PEAK_LR)
    return controlnet.eval()
