"""What OpenAI's clients ask for when they want a video."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from myriad.errors import Conflict
from myriad.job import JobState
from myriad.mode import Mode
from myriad.model import Limits, Model
from myriad.params import MAX_FPS, invalid_request
from myriad.record import JobRecord
from myriad.resolve import new_seed
from web.doors.openai.image_request import picture_size
from web.doors.openai.model_name import find_model
from web.job_request import JobRequest

REMIX_OF = "remixed_from"
"""The label that names the video a remix was made from."""

_SECONDS = 4.0
_MAX_SECONDS = 3600
_KEPT = (
    "negative_prompt",
    "width",
    "height",
    "num_inference_steps",
    "guidance_scale",
    "seed",
    "scheduler",
    "num_frames",
    "fps",
    "loras",
)


class VideoRequest(BaseModel):
    """Fields that mean something here; every other is ignored. From `seed` on they are ours."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    prompt: str
    model: str | None = None
    seconds: float | None = Field(None, gt=0, le=_MAX_SECONDS)
    size: str | None = None
    seed: int | None = Field(None, ge=-1)
    negative_prompt: str | None = None
    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    fps: int | None = Field(None, ge=1, le=MAX_FPS)


class VideoQuery(BaseModel):
    """Which videos to list."""

    after: str | None = Field(None, pattern="^[0-9a-f]{32}$")
    limit: int = Field(20, ge=1, le=100)
    order: Literal["asc", "desc"] = "desc"


def given(values: Mapping[str, Any]) -> dict[str, Any]:
    """Clients send null, and forms the empty text, for what they have no opinion on."""
    return {name: value for name, value in values.items() if value not in (None, "")}


def read_video_request(values: Mapping[str, Any]) -> VideoRequest:
    """Raises InvalidRequest naming the field."""
    try:
        return VideoRequest.model_validate(given(values))
    except ValidationError as error:
        raise invalid_request(error) from error


def film_request(asked: VideoRequest) -> JobRequest:
    """The same in our words: as long as asked, or as long as the model can. Raises RequestError."""
    model = find_model(asked.model, Mode.TEXT_TO_VIDEO)
    width, height = picture_size(asked.size, model) or (None, None)
    fps = asked.fps or model.defaults.fps
    return _request(
        prompt=asked.prompt,
        model=model.name,
        width=width,
        height=height,
        num_frames=_frames(asked.seconds, fps, model),
        fps=fps,
        seed=asked.seed if asked.seed is not None and asked.seed >= 0 else new_seed(),
        negative_prompt=asked.negative_prompt,
        num_inference_steps=asked.num_inference_steps,
        guidance_scale=asked.guidance_scale,
    )


def remix_request(record: JobRecord, prompt: Any) -> JobRequest:
    """The same video of another prompt, from the same seed. Raises Conflict before it is there."""
    if record.state is not JobState.SUCCEEDED:
        raise Conflict("only a completed video can be remixed")
    kept = {name: record.params[name] for name in _KEPT}
    return _request(prompt=prompt, model=record.model, metadata={REMIX_OF: record.id}, **kept)


def _request(**values: Any) -> JobRequest:
    try:
        return JobRequest(output_format="mp4", **values)
    except ValidationError as error:
        raise invalid_request(error) from error


def _frames(seconds: float | None, fps: int, model: Model) -> int:
    """1 + a multiple of the model's `frame_multiple`; the model's own number if nobody says."""
    if seconds is None and model.defaults.num_frames > 1:
        return model.defaults.num_frames
    return nearest_frames((seconds or _SECONDS) * fps, model.limits)


def nearest_frames(frames: float, limits: Limits) -> int:
    """The number nearest to `frames` that a video of the model can have; at least two."""
    step = limits.frame_multiple
    most = (limits.max_frames - 1) // step
    return 1 + step * max(1, min(most, round((frames - 1) / step)))
