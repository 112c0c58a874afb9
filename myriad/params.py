"""Generation parameters: one frozen object a door fills and every stage reads."""

import json
import secrets
import unicodedata
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from myriad.catalog import Model
from myriad.errors import InvalidRequest
from myriad.scheduler import SCHEDULERS, canonical_scheduler

MAX_PROMPT_CHARS = 8_000
MAX_SEED = 2**53 - 1  # the largest integer every JSON reader keeps exact
PICTURE_FORMATS = ("png", "webp", "jpeg")

Prompt = Annotated[str, Field(max_length=MAX_PROMPT_CHARS)]


class GenerationParams(BaseModel):
    """What to draw. Names are diffusers' own, plus `seed`, `num_images`, `output_format`.

    Filled by `resolve`, which knows the model's defaults and limits; image i of
    a job is drawn from `seed + i`, so it equals a one-image job of that seed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    prompt: Prompt
    negative_prompt: Prompt = ""
    width: int = Field(ge=8)
    height: int = Field(ge=8)
    num_inference_steps: int = Field(ge=1)
    guidance_scale: float = Field(ge=0, le=50)
    seed: int = Field(ge=0, le=MAX_SEED)
    num_images: int = Field(1, ge=1)
    scheduler: str
    output_format: Literal["png", "webp", "jpeg"] = "png"

    @field_validator("prompt", "negative_prompt")
    @classmethod
    def _no_control_characters(cls, text: str) -> str:
        if any(unicodedata.category(char) in ("Cc", "Cs") and char not in "\n\t" for char in text):
            raise ValueError("must not contain control characters")
        return text

    @field_validator("scheduler")
    @classmethod
    def _known_scheduler(cls, name: str) -> str:
        known = canonical_scheduler(name)
        if known is None:
            raise ValueError(f"must be one of {', '.join(SCHEDULERS)}")
        return known

    @property
    def seeds(self) -> tuple[int, ...]:
        """One seed per image."""
        return tuple(range(self.seed, self.seed + self.num_images))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, every field present."""
        return self.model_dump(mode="json")

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`."""
        return cls.model_validate_json(json.dumps(dict(values)))


def new_seed() -> int:
    """A seed for a request that names none; 32 bits, as every front end can show."""
    return secrets.randbelow(2**32)


def resolve(asked: Mapping[str, Any], model: Model) -> GenerationParams:
    """Turn what was asked of `model` into complete, checked parameters.

    Fields that are absent or None take the model's defaults; an absent seed is
    drawn at random. Raises InvalidRequest naming the first field at fault.
    """
    given = {name: value for name, value in asked.items() if value is not None}
    values = {**model.defaults.model_dump(), "seed": new_seed(), **given}
    try:
        params = GenerationParams.model_validate(values, strict=True)
    except ValidationError as error:
        raise invalid_request(error) from error
    _check_limits(params, model)
    return params


def invalid_request(error: ValidationError) -> InvalidRequest:
    """Our error for the first thing pydantic found, naming the field by its JSON path."""
    first = error.errors(include_url=False, include_input=False)[0]
    field = ".".join(str(part) for part in first["loc"]) or None
    return InvalidRequest(first["msg"].removeprefix("Value error, "), field=field)


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
