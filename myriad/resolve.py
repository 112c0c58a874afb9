"""From what was asked of a model to complete parameters, each checked against the catalogue."""

import secrets
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from myriad.catalog import Catalog
from myriad.errors import InvalidRequest
from myriad.mode import Mode
from myriad.model import Model
from myriad.params import (
    MAX_SEED,
    PICTURE_FORMATS,
    VIDEO_FORMAT,
    GenerationParams,
    invalid_request,
)


def new_seed() -> int:
    """A seed for a request that names none; 32 bits, as every front end can show."""
    return secrets.randbelow(2**32)


def resolve(
    asked: Mapping[str, Any], model: Model, catalog: Catalog | None = None
) -> GenerationParams:
    """Turn what was asked of `model` into complete, checked parameters.

    Fields that are absent or None take the model's defaults; an absent seed is
    drawn at random. Without a `catalog` there are no LoRAs, ControlNets and
    refiners to name. Raises InvalidRequest naming the first field at fault.
    """
    given = {name: value for name, value in asked.items() if value is not None}
    values = {**_defaults(given, model), "seed": new_seed(), **given}
    try:
        params = GenerationParams.model_validate(values, strict=True)
    except ValidationError as error:
        raise invalid_request(error) from error
    _check_limits(params, model)
    _check_mode(params, model)
    _check_additions(params, model, catalog or Catalog([model]))
    _check_steps(params)
    return params


def _defaults(given: Mapping[str, Any], model: Model) -> dict[str, Any]:
    """What was not said, as far as it depends on what was."""
    values = model.defaults.model_dump(exclude={"strength", "fps"})
    num_frames = given.get("num_frames", model.defaults.num_frames)
    if isinstance(num_frames, int) and num_frames > 1:
        values |= {"output_format": VIDEO_FORMAT, "fps": model.defaults.fps}
    if "mask" in given:
        values["strength"] = 1.0
    elif "image" in given:
        values["strength"] = model.defaults.strength
    return values


def _check_limits(params: GenerationParams, model: Model) -> None:
    limits = model.limits
    for field in ("width", "height"):
        size = getattr(params, field)
        if not limits.min_size <= size <= limits.max_size or size % limits.size_multiple:
            raise InvalidRequest(
                f"must be a multiple of {limits.size_multiple} from {limits.min_size}"
                f" to {limits.max_size} for model {model.name}",
                field=field,
            )
    if params.width * params.height > limits.max_pixels:
        raise InvalidRequest(
            f"width x height must not exceed {limits.max_pixels} pixels for model {model.name}",
            field="width",
        )
    for field, most in (
        ("num_inference_steps", limits.max_steps),
        ("num_images", limits.max_images),
    ):
        if getattr(params, field) > most:
            raise InvalidRequest(f"must not exceed {most} for model {model.name}", field=field)
    if params.seed + params.num_images - 1 > MAX_SEED:
        raise InvalidRequest("seed + num_images is too large", field="seed")
    _one_of("scheduler", params.scheduler, model.facts.schedulers)


def _check_mode(params: GenerationParams, model: Model) -> None:
    if params.mask is not None and params.image is None:
        raise InvalidRequest("needs an image to change", field="mask")
    if params.strength is not None and params.image is None:
        raise InvalidRequest("needs an image to start from", field="strength")
    if params.num_frames > 1 and params.image is not None:
        raise InvalidRequest("cannot start a video", field="image")
    if params.mode not in model.modes:
        raise InvalidRequest(
            f"model {model.name} does not do {params.mode}, but {', '.join(sorted(model.modes))}",
            field=_MODE_FIELDS[params.mode],
        )
    _check_film(params, model)


_MODE_FIELDS: Mapping[Mode, str] = {
    Mode.TEXT_TO_IMAGE: "num_frames",
    Mode.IMAGE_TO_IMAGE: "image",
    Mode.INPAINTING: "mask",
    Mode.TEXT_TO_VIDEO: "num_frames",
}


def _check_film(params: GenerationParams, model: Model) -> None:
    limits = model.limits
    if not limits.takes_frames(params.num_frames):
        raise InvalidRequest(
            f"must be 1 + a multiple of {limits.frame_multiple}, up to {limits.max_frames},"
            f" for model {model.name}",
            field="num_frames",
        )
    if params.num_frames == 1 and params.fps is not None:
        raise InvalidRequest("is for videos: ask for more than one frame", field="fps")
    formats = (VIDEO_FORMAT,) if params.num_frames > 1 else PICTURE_FORMATS
    _one_of("output_format", params.output_format, formats)


def _check_steps(params: GenerationParams) -> None:
    """Leave each part of a divided run at least one step; cut off as diffusers does."""
    steps = params.num_inference_steps
    if params.strength is not None and int(steps * params.strength) < 1:
        raise InvalidRequest(
            f"leaves none of the {steps} steps; raise it or num_inference_steps", field="strength"
        )
    if params.refiner is not None:
        first = steps * params.refiner.denoising_start
        if first < 1 or steps - first < 1:
            raise InvalidRequest(
                f"must leave a step of {steps} to each side", field="refiner.denoising_start"
            )


def _check_additions(params: GenerationParams, model: Model, catalog: Catalog) -> None:
    loras, nets = catalog.loras_of(model), catalog.controlnets_of(model)
    names = [use.name for use in params.loras]
    for place, name in enumerate(names):
        _one_of(f"loras.{place}.name", name, loras)
        if name in names[:place]:
            raise InvalidRequest("is named twice", field=f"loras.{place}.name")
    if params.controlnets and params.mode not in model.facts.controlnet_modes:
        raise InvalidRequest(
            f"model {model.name} takes no ControlNet for {params.mode}", field="controlnets"
        )
    for place, net in enumerate(params.controlnets):
        _one_of(f"controlnets.{place}.model", net.model, nets)
    if params.refiner is not None:
        _one_of("refiner.model", params.refiner.model, catalog.refiners_of(model))
        if params.mode is not Mode.TEXT_TO_IMAGE:
            raise InvalidRequest(f"does not go with {params.mode}", field="refiner")


def _one_of(field: str, value: str, choices: Iterable[str]) -> None:
    if value not in choices:
        raise InvalidRequest(f"must be {_listed(choices)}", field=field)


def _listed(choices: Iterable[str]) -> str:
    names = ", ".join(choices)
    return f"one of {names}" if names else "left out: there is none for this model"
