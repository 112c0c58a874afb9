"""`input` of a prediction: the fields of Replicate's picture models, and our own."""

from collections.abc import Sequence
from math import sqrt
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from myriad.errors import InvalidRequest
from myriad.model import Model
from myriad.params import MAX_SEED, invalid_request
from myriad.resolve import new_seed
from web.doors.replicate.picture import picture_of
from web.doors.size import fitting_size
from web.job_request import ControlNetRequest, JobRequest, LoraRequest, RefinerRequest
from web.picture_fields import Parts

_SAMPLERS: Final = {
    "K_EULER": "EulerDiscreteScheduler",
    "K_EULER_ANCESTRAL": "EulerAncestralDiscreteScheduler",
    "K_LMS": "LMSDiscreteScheduler",
    "KLMS": "LMSDiscreteScheduler",
}
"""Names of schedulers that Replicate's models have and diffusers has not."""

# What their models take and ours have no use for: clients send it whatever the model is.
_IGNORED: Final = frozenset(
    {
        "apply_watermark",
        "disable_safety_checker",
        "go_fast",
        "megapixels",
        "output_quality",
        "prompt_upsampling",
        "safety_tolerance",
    }
)


class PredictionInput(BaseModel):
    """Values may be numbers in text; a field of neither theirs nor ours is refused by name."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    prompt: str = Field(description="What to draw.")
    negative_prompt: str | None = Field(None, description="What to keep out.")
    width: int | None = Field(None, ge=1, le=65_536, description="Pixels.")
    height: int | None = Field(None, ge=1, le=65_536, description="Pixels.")
    aspect_ratio: str | None = Field(
        None, pattern=r"^([1-9]\d{0,2}):([1-9]\d{0,2})$", description="`16:9`, if no size is given."
    )
    num_outputs: int | None = Field(None, ge=1, le=1000, description="How many pictures.")
    num_inference_steps: int | None = Field(None, ge=1, description="Denoising steps.")
    guidance_scale: float | None = Field(None, ge=0, description="How closely to follow.")
    seed: int | None = Field(None, ge=-1, le=MAX_SEED, description="Left out: a new one.")
    scheduler: str | None = Field(None, max_length=64, description="A diffusers scheduler.")
    output_format: Literal["png", "webp", "jpg", "jpeg", "mp4"] | None = None
    image: str | None = Field(None, description="A picture to start from.")
    mask: str | None = Field(None, description="White is drawn anew.")
    prompt_strength: float | None = Field(None, gt=0, le=1, description="How much to draw anew.")
    strength: float | None = Field(None, gt=0, le=1, description="The same.")
    num_frames: int | None = Field(None, ge=1, description="More than one: a video.")
    fps: int | None = Field(None, ge=1)
    loras: list[LoraRequest] | None = None
    controlnets: list[ControlNetRequest] | None = None
    refiner: RefinerRequest | None = None


def read_input(values: Any, model: Model, **more: Any) -> tuple[JobRequest, Parts]:
    """The same in our words, and the pictures that came in it. Raises InvalidRequest.

    Without a seed one is drawn here: their callers expect a new picture each time.
    """
    if not isinstance(values, dict):
        raise InvalidRequest("must be an object", field="input")
    known = {
        name: value for name, value in values.items() if value is not None and name not in _IGNORED
    }
    try:
        asked = PredictionInput.model_validate(known)
        named, parts = _pictures(asked)
        return _job_request(asked, model, {**named, **more}), parts
    except ValidationError as error:
        problem = invalid_request(error)
        raise InvalidRequest(problem.message, field=_within(problem.field)) from error
    except InvalidRequest as error:
        raise InvalidRequest(error.message, field=_within(error.field)) from error


def _within(field: str | None) -> str:
    return f"input.{field}" if field else "input"


def _pictures(asked: PredictionInput) -> tuple[dict[str, Any], Parts]:
    """What names inputs by their ids, and the pictures that came along."""
    named: dict[str, Any] = {}
    parts: dict[str, tuple[bytes, ...]] = {}
    for name in ("image", "mask"):
        if (text := getattr(asked, name)) is not None:
            picture = picture_of(text, name)
            if isinstance(picture, str):
                named[name] = picture
            else:
                parts[name] = (picture,)
    if asked.controlnets is not None:
        named["controlnets"], brought = _controls(asked.controlnets)
        parts["control_image"] = tuple(brought)
    return named, parts


def _controls(
    uses: Sequence[ControlNetRequest],
) -> tuple[list[ControlNetRequest], list[bytes]]:
    """Those whose picture came along have no image: each takes the next of the pictures."""
    named: list[ControlNetRequest] = []
    brought: list[bytes] = []
    for place, use in enumerate(uses):
        if use.image is None:
            raise InvalidRequest("must be given", field=f"controlnets.{place}.image")
        picture = picture_of(use.image, f"controlnets.{place}.image")
        if isinstance(picture, bytes):
            brought.append(picture)
        image = picture if isinstance(picture, str) else None
        named.append(use.model_copy(update={"image": image}))
    return named, brought


def _job_request(asked: PredictionInput, model: Model, more: dict[str, Any]) -> JobRequest:
    width, height = _size(asked, model)
    is_seeded = asked.seed is not None and asked.seed >= 0
    return JobRequest(
        prompt=asked.prompt,
        negative_prompt=asked.negative_prompt,
        model=model.name,
        width=width,
        height=height,
        num_images=asked.num_outputs,
        num_inference_steps=asked.num_inference_steps,
        guidance_scale=asked.guidance_scale,
        seed=asked.seed if is_seeded else new_seed(),
        scheduler=_SAMPLERS.get(asked.scheduler or "", asked.scheduler),
        output_format="jpeg" if asked.output_format == "jpg" else asked.output_format,
        strength=asked.strength or asked.prompt_strength,
        num_frames=asked.num_frames,
        fps=asked.fps,
        loras=asked.loras,
        refiner=asked.refiner,
        **more,
    )


def _size(asked: PredictionInput, model: Model) -> tuple[int | None, int | None]:
    """Pixels; what the model cannot make becomes the nearest it can."""
    own = model.defaults
    if asked.width or asked.height:
        return fitting_size(asked.width or own.width, asked.height or own.height, model)
    if asked.aspect_ratio is None:
        return None, None
    across, down = map(int, asked.aspect_ratio.split(":"))
    scale = sqrt(own.width * own.height / (across * down))
    return fitting_size(max(1, round(across * scale)), max(1, round(down * scale)), model)
