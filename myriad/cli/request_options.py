"""The options that say what to draw, and the request they make."""

from collections.abc import Callable
from functools import reduce
from typing import Any

import click

from myriad.cli.picture_options import PICTURE, ControlNetImage, Label, Number, ScaledName
from myriad.cli.suggest import suggest_models

_OPTIONS = (
    click.option("--negative-prompt", help="What should not be in it."),
    click.option("--model", shell_complete=suggest_models, help="A name from `myriad models`."),
    click.option("--width", type=int, help="Pixels."),
    click.option("--height", type=int, help="Pixels."),
    click.option("--steps", "num_inference_steps", type=int, help="Denoising steps."),
    click.option("--guidance-scale", type=Number(), help="How strictly to follow the prompt."),
    click.option("--scheduler", help="A noise scheduler by its diffusers name."),
    click.option("--seed", type=int, help="The same seed draws the same picture."),
    click.option("--num-images", type=int, help="How many pictures, from the seed upwards."),
    click.option("--image", type=PICTURE, help="A picture to start from: PNG, JPEG or WebP."),
    click.option("--strength", type=Number(), help="How much of it to draw anew, up to 1."),
    click.option("--mask", type=PICTURE, help="White where the picture is to be drawn anew."),
    click.option(
        "--controlnet", type=ControlNetImage(), multiple=True, help="Follow FILE; repeatable."
    ),
    click.option("--lora", type=ScaledName(), multiple=True, help="Add a LoRA; repeatable."),
    click.option("--refiner", type=ScaledName(), help="Finish with a refiner, after NUMBER of 1."),
    click.option("--num-frames", type=int, help="More than one: a video."),
    click.option("--fps", type=int, help="Frames per second of a video."),
    click.option("--reproducible", is_flag=True, help="The same bytes whatever runs beside it."),
    click.option("--no-cache", is_flag=True, help="Draw afresh even if the answer is known."),
    click.option(
        "--priority", type=int, help="-100 to 100: higher goes first; above 0 if the key may."
    ),
    click.option("--deadline", "deadline_s", type=Number(), help="Give up after so many seconds."),
    click.option(
        "--label",
        "labels",
        type=Label(),
        multiple=True,
        help="Given back with the job; repeatable.",
    ),
)


def with_request(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add every option that says what to draw."""
    return reduce(lambda wrapped, option: option(wrapped), reversed(_OPTIONS), command)


def request_of(options: dict[str, Any]) -> dict[str, Any]:
    """The client's fields for what `with_request` read; None where not given."""
    options = dict(options)
    controlnets, loras = options.pop("controlnet"), options.pop("lora")
    refiner, labels = options.pop("refiner"), dict(options.pop("labels"))
    return {
        "controlnets": [use.as_controlnet() for use in controlnets],
        "loras": [use.as_lora() for use in loras],
        "refiner": refiner.as_refiner() if refiner else None,
        "metadata": labels or None,
        "cache": False if options.pop("no_cache") else None,
        **options,
    }
