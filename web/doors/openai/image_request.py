"""What OpenAI's clients ask for when they want pictures, as JSON or as parts of a form."""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from myriad.errors import InvalidRequest
from myriad.model import Model
from myriad.params import invalid_request
from myriad.resolve import new_seed
from web.doors.size import fitting_size
from web.job_request import JobRequest, LoraRequest

MOST_PICTURES = 10
_MOST_PARTIAL = 3
_SIZE = re.compile(r"([1-9]\d{0,4})x([1-9]\d{0,4})")
_EXTRAS = ("negative_prompt", "num_inference_steps", "guidance_scale", "scheduler", "strength")


def _list_of_text(value: object) -> object:
    """In a form a list comes as its JSON."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


class ImageRequest(BaseModel):
    """Fields that mean something here; every other is ignored, as gateways add their own.

    Values are read leniently: in a form all of them are text. From `seed` on they are ours.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    prompt: str
    model: str | None = None
    n: int | None = Field(None, ge=1, le=MOST_PICTURES)
    size: str | None = None
    response_format: Literal["url", "b64_json"] | None = None
    output_format: Literal["png", "webp", "jpeg"] | None = None
    quality: Any = None
    stream: bool = False
    partial_images: int = Field(0, ge=0, le=_MOST_PARTIAL)
    seed: int | None = Field(None, ge=-1)
    negative_prompt: str | None = None
    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    scheduler: str | None = None
    strength: float | None = None
    loras: Annotated[list[LoraRequest] | None, BeforeValidator(_list_of_text)] = None

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, values: Any) -> Any:
        """Clients send null, and forms the empty text, for what they have no opinion on."""
        if not isinstance(values, Mapping):
            raise InvalidRequest("the body must be a JSON object")
        return {name: value for name, value in values.items() if value not in (None, "")}


def read_image_request(values: Any) -> ImageRequest:
    """Raises InvalidRequest naming the field."""
    try:
        return ImageRequest.model_validate(values)
    except ValidationError as error:
        raise invalid_request(error) from error


def job_request(asked: ImageRequest, model: Model, **more: Any) -> JobRequest:
    """The same in our words. Raises InvalidRequest naming one of our fields.

    Without a seed one is drawn here: their callers expect a new picture each time, and
    one that was drawn before must not answer.
    """
    size = picture_size(asked.size, model)
    width, height = size or (None, None)
    seed = asked.seed if asked.seed is not None and asked.seed >= 0 else new_seed()
    try:
        return JobRequest(
            prompt=asked.prompt,
            model=model.name,
            width=width,
            height=height,
            num_images=asked.n,
            num_frames=1,
            seed=seed,
            output_format=asked.output_format,
            loras=asked.loras,
            **{name: getattr(asked, name) for name in _EXTRAS},
            **more,
        )
    except ValidationError as error:
        raise invalid_request(error) from error


def picture_size(size: str | None, model: Model) -> tuple[int, int] | None:
    """Width and height to draw at, pixels; None leaves them open. Raises InvalidRequest."""
    if size is None or size == "auto":
        return None
    match = _SIZE.fullmatch(size)
    if match is None:
        raise InvalidRequest("must be auto or WIDTHxHEIGHT in pixels", field="size")
    return fitting_size(int(match[1]), int(match[2]), model)
