"""Generation parameters: one frozen object a door fills and every stage reads."""

import json
import unicodedata
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
)

from myriad.errors import InvalidRequest
from myriad.mode import Mode
from myriad.scheduler import SCHEDULERS, canonical_scheduler

MAX_PROMPT_CHARS = 8_000
MAX_SEED = 2**53 - 1  # the largest integer every JSON reader keeps exact
MAX_FPS = 60
MAX_LORAS = 8
MAX_CONTROLNETS = 4
PICTURE_FORMATS = ("png", "webp", "jpeg")
VIDEO_FORMAT = "mp4"

Item = TypeVar("Item")


def _tuple_of_list(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


Prompt = Annotated[str, Field(max_length=MAX_PROMPT_CHARS)]
Name = Annotated[str, Field(max_length=64)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Many = Annotated[tuple[Item, ...], BeforeValidator(_tuple_of_list)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ControlNetUse(_Frozen):
    """A ControlNet of the catalogue, the input it follows, and how closely (0: not at all)."""

    model: Name
    image: Digest
    scale: float = Field(1.0, ge=0, le=2)


class LoraUse(_Frozen):
    """A LoRA of the catalogue and its weight."""

    name: Name
    scale: float = Field(1.0, ge=-4, le=4)


class RefinerUse(_Frozen):
    """A refiner of the catalogue, which takes over after this fraction of the steps."""

    model: Name
    denoising_start: float = Field(0.8, gt=0, lt=1)


class GenerationParams(_Frozen):
    """What to draw. Names are diffusers' own, plus `seed`, `num_images`, `output_format`.

    Filled by `myriad.resolve`, which knows the model's defaults and limits; image i
    of a job is drawn from `seed + i`, so it equals a one-image job of that seed.
    `image`, `mask` and a ControlNet's image are SHA-256 digests of stored inputs.
    """

    prompt: Prompt
    negative_prompt: Prompt = ""
    width: int = Field(ge=8)
    height: int = Field(ge=8)
    num_inference_steps: int = Field(ge=1)
    guidance_scale: float = Field(ge=0, le=50)
    seed: int = Field(ge=0, le=MAX_SEED)
    num_images: int = Field(1, ge=1)
    scheduler: str
    output_format: Literal["png", "webp", "jpeg", "mp4"] = "png"
    image: Digest | None = None
    strength: float | None = Field(None, gt=0, le=1)
    mask: Digest | None = None
    controlnets: Many[ControlNetUse] = Field((), max_length=MAX_CONTROLNETS)
    loras: Many[LoraUse] = Field((), max_length=MAX_LORAS)
    refiner: RefinerUse | None = None
    num_frames: int = Field(1, ge=1)
    fps: int | None = Field(None, ge=1, le=MAX_FPS)
    reproducible: bool = False

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

    @property
    def mode(self) -> Mode:
        """What this starts from and makes."""
        if self.num_frames > 1:
            return Mode.TEXT_TO_VIDEO
        if self.mask is not None:
            return Mode.INPAINTING
        return Mode.TEXT_TO_IMAGE if self.image is None else Mode.IMAGE_TO_IMAGE

    @property
    def inputs(self) -> Mapping[str, str]:
        """Digests of the stored inputs by the field that names them, `controlnets.0.image`."""
        named = {"image": self.image, "mask": self.mask} | {
            f"controlnets.{place}.image": use.image for place, use in enumerate(self.controlnets)
        }
        return {field: digest for field, digest in named.items() if digest is not None}

    @property
    def input_digests(self) -> tuple[str, ...]:
        """The stored inputs, each once."""
        return tuple(dict.fromkeys(self.inputs.values()))

    @property
    def megapixel_steps(self) -> float:
        """What it costs, as limits count: megapixels x denoising steps x images x frames."""
        steps = self.num_inference_steps * self.num_images * self.num_frames
        return self.width * self.height * steps / 1e6

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, every field present."""
        return self.model_dump(mode="json")

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`; fields younger than the row take their defaults."""
        return cls.model_validate_json(json.dumps(dict(values)))


def invalid_request(error: ValidationError) -> InvalidRequest:
    """Our error for the first thing pydantic found, naming the field by its JSON path."""
    first = error.errors(include_url=False, include_input=False)[0]
    field = ".".join(str(part) for part in first["loc"]) or None
    return InvalidRequest(first["msg"].removeprefix("Value error, "), field=field)
