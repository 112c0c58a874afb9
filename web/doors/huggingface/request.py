"""`{"inputs", "parameters"}`: what their clients send for text-to-image and image-to-image."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from myriad.errors import InvalidRequest
from myriad.model import Model
from myriad.params import MAX_SEED, invalid_request
from myriad.resolve import new_seed
from web.base64_text import decoded
from web.doors.size import fitting_size
from web.doors.waiting import Uploads
from web.job_request import JobRequest, LoraRequest

_OWN = ("num_inference_steps", "guidance_scale", "strength", "loras")


def _one_text(value: object) -> object:
    """Some versions send the texts to keep out as a list."""
    return ", ".join(map(str, value)) if isinstance(value, list) else value


class _Size(BaseModel):
    width: int = Field(ge=1, le=65_536)
    height: int = Field(ge=1, le=65_536)


class Parameters(BaseModel):
    """Theirs, and of ours what fits; any other name is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    prompt: str | None = None
    negative_prompt: Annotated[str | None, BeforeValidator(_one_text)] = None
    width: int | None = Field(None, ge=1, le=65_536)
    height: int | None = Field(None, ge=1, le=65_536)
    target_size: _Size | None = None
    num_inference_steps: int | None = Field(None, ge=1)
    guidance_scale: float | None = Field(None, ge=0)
    strength: float | None = Field(None, gt=0, le=1)
    seed: int | None = Field(None, ge=-1, le=MAX_SEED)
    scheduler: str | None = Field(None, max_length=64)
    loras: list[LoraRequest] | None = None


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    inputs: str
    parameters: dict[str, Any] | None = None


def read_task(values: Any, model: Model, output_format: str) -> tuple[JobRequest, Uploads]:
    """The same in our words, and the picture to start from. Raises InvalidRequest."""
    try:
        body = _Body.model_validate(values)
    except ValidationError as error:
        raise invalid_request(error) from error
    try:
        asked = Parameters.model_validate(body.parameters or {})
        parts: Uploads = (
            {} if asked.prompt is None else {"image": (decoded(body.inputs, "inputs"),)}
        )
        return _job_request(body.inputs, asked, model, output_format), parts
    except ValidationError as error:
        problem = invalid_request(error)
        raise InvalidRequest(problem.message, field=f"parameters.{problem.field}") from error


def _job_request(inputs: str, asked: Parameters, model: Model, output_format: str) -> JobRequest:
    """Without a seed one is drawn here: their callers expect a new picture each time."""
    is_seeded = asked.seed is not None and asked.seed >= 0
    width, height = _size(asked, model)
    return JobRequest.model_validate(
        {
            "prompt": inputs if asked.prompt is None else asked.prompt,
            "negative_prompt": asked.negative_prompt,
            "model": model.name,
            "width": width,
            "height": height,
            "num_images": 1,
            "num_frames": 1,
            "seed": asked.seed if is_seeded else new_seed(),
            "scheduler": asked.scheduler,
            "output_format": output_format,
            **{name: getattr(asked, name) for name in _OWN},
        }
    )


def _size(asked: Parameters, model: Model) -> tuple[int | None, int | None]:
    if asked.target_size is not None:
        return fitting_size(asked.target_size.width, asked.target_size.height, model)
    if asked.width is None and asked.height is None:
        return None, None
    own = model.defaults
    return fitting_size(asked.width or own.width, asked.height or own.height, model)
