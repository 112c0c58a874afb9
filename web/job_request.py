"""What may be asked of the farm, before the model has its say."""

import unicodedata
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from myriad.errors import InvalidRequest
from myriad.params import (
    MAX_CONTROLNETS,
    MAX_FPS,
    MAX_LORAS,
    MAX_PROMPT_CHARS,
    MAX_SEED,
    GenerationParams,
)

MAX_LABELS = 16
MAX_DEADLINE_S = 30 * 24 * 3600
_MAX_SHOWN = 100
_PARAM_NAMES = tuple(GenerationParams.model_fields)

Kind = Literal["start", "output", "completed"]


def _plain(text: str) -> str:
    if any(unicodedata.category(char) in ("Cc", "Cs") for char in text):
        raise ValueError("must not contain control characters")
    return text


def few(value: object) -> object:
    """Refuse a list or object of more entries than labels may be."""
    # Counted before each entry is looked at: a huge object must not cost seconds.
    if isinstance(value, dict | list) and len(value) > MAX_LABELS:
        raise ValueError(f"must not have more than {MAX_LABELS} entries")
    return value


Prompt = Annotated[str, Field(max_length=MAX_PROMPT_CHARS)]
Name = Annotated[str, Field(max_length=64)]
Picture = Annotated[
    str, Field(description="The id of an input, or a data URI of a PNG, JPEG or WebP picture.")
]
Label = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_plain)]
LabelText = Annotated[str, Field(max_length=500), AfterValidator(_plain)]


class StrictModel(BaseModel):
    """Values are of the very JSON type asked for, and every name is a known one."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _known_names(cls, values: Any) -> Any:
        if isinstance(values, dict):
            unknown = next((name for name in values if name not in cls.model_fields), None)
            if unknown is not None:
                raise InvalidRequest("there is no such field", field=str(unknown)[:_MAX_SHOWN])
        return values


class Part(BaseModel):
    """An object within a request; what is wrong with it is told by its path."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


class ControlNetRequest(Part):
    """A ControlNet and the picture it follows."""

    model: Name = Field(description="A ControlNet that `/api/v1/models` lists for the model.")
    image: Picture | None = None
    scale: float = Field(1.0, ge=0, le=2, description="How closely to follow it.")


class LoraRequest(Part):
    """A LoRA and its weight."""

    name: Name = Field(description="A LoRA that `/api/v1/models` lists for the model.")
    scale: float = Field(1.0, ge=-4, le=4)


class RefinerRequest(Part):
    """A refiner and when it takes over."""

    model: Name = Field(description="A refiner that `/api/v1/models` lists for the model.")
    denoising_start: float = Field(0.8, gt=0, lt=1, description="After this part of the steps.")


class JobRequest(StrictModel):
    """One generation. Fields left out take the model's defaults; limits are the model's."""

    prompt: Prompt = Field(description="What to draw.", examples=["a red circle"])
    negative_prompt: Prompt | None = Field(None, description="What to keep out.")
    model: str | None = Field(None, max_length=64, description="A name from `/api/v1/models`.")
    width: int | None = Field(None, ge=8, description="Pixels.")
    height: int | None = Field(None, ge=8, description="Pixels.")
    num_inference_steps: int | None = Field(None, ge=1)
    guidance_scale: float | None = Field(None, ge=0, le=50)
    seed: int | None = Field(None, ge=0, le=MAX_SEED, description="Left out: any seed will do.")
    num_images: int | None = Field(
        None, ge=1, description="Image i is drawn from seed + i; they run as one job."
    )
    scheduler: str | None = Field(None, max_length=64, description="A diffusers scheduler class.")
    output_format: Literal["png", "webp", "jpeg", "mp4"] | None = None
    image: Picture | None = None
    strength: float | None = Field(
        None, gt=0, le=1, description="How much of `image` to draw anew."
    )
    mask: Picture | None = None
    controlnets: Annotated[
        list[ControlNetRequest] | None, Field(max_length=MAX_CONTROLNETS), BeforeValidator(few)
    ] = None
    loras: Annotated[
        list[LoraRequest] | None, Field(max_length=MAX_LORAS), BeforeValidator(few)
    ] = None
    refiner: RefinerRequest | None = None
    num_frames: int | None = Field(None, ge=1, description="More than one: a video.")
    fps: int | None = Field(None, ge=1, le=MAX_FPS, description="Frames per second of a video.")
    reproducible: bool = Field(
        False, description="The same bytes whatever runs beside it, at some cost of speed."
    )
    cache: bool = Field(True, description="False: a fresh run, whatever was drawn before.")
    webhook: str | None = Field(None, max_length=2048, description="Told what becomes of the job.")
    webhook_events_filter: Annotated[
        list[Kind], Field(min_length=1, max_length=3), BeforeValidator(few)
    ] = Field(["start", "output", "completed"])
    deadline_s: float | None = Field(
        None, gt=0, le=MAX_DEADLINE_S, description="Give up if it has not ended by then."
    )
    priority: int = Field(
        0, ge=-100, le=100, description="Higher goes first; above 0 needs the scope `priority`."
    )
    metadata: Annotated[
        dict[Label, LabelText], Field(max_length=MAX_LABELS), BeforeValidator(few)
    ] = Field({}, description="Labels of your own, given back with the job.")

    def params(self) -> dict[str, Any]:
        """Only the generation parameters, as asked."""
        return self.model_dump(include=set(_PARAM_NAMES))
