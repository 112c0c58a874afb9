"""What the native API answers with."""

from typing import Annotated

from pydantic import BaseModel, Field

from myriad.job import CacheOutcome, JobState, Stage
from myriad.mode import Mode
from myriad.model import Defaults, Limits
from myriad.params import GenerationParams
from myriad.resident import Tier

Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class Problem(BaseModel):
    """What went wrong: `code` is stable and English, `field` names the culprit."""

    code: str
    message: str
    field: str | None = None


class ErrorBody(BaseModel):
    """The one error body of every route."""

    error: Problem


class JobProblem(BaseModel):
    """Why a job failed; `field` names the culprit where there is one."""

    code: str
    message: str
    field: str | None = Field(None, exclude_if=lambda name: name is None)


class ImageView(BaseModel):
    """A finished picture or video; `url` is short-lived: ask for the job again for a fresh one."""

    url: str
    seed: int
    width: int
    height: int
    num_frames: int
    fps: int | None
    content_type: str
    sha256: str
    flagged: bool = Field(description="The safety checker took it out: this one is blank.")


class InputView(BaseModel):
    """A picture that was handed in: pass `id` as `image`, `mask` or a ControlNet's `image`."""

    id: str
    width: int
    height: int
    size_bytes: int = Field(description="As it is kept: a PNG without metadata.")
    created_at: Moment


class Metrics(BaseModel):
    """Seconds; null where not (yet) measured, as for a cached answer's stages."""

    queue_s: float | None
    encode_s: float | None
    denoise_s: float | None
    decode_s: float | None
    total_s: float | None


class Urls(BaseModel):
    """Where to look at the job, end it, and show it to people."""

    get: str
    cancel: str
    preview: str = Field(description="JPEG of the picture while it is drawn; 404 if none.")
    web: str


class JobView(BaseModel):
    """A job. `input` holds every parameter, the seed included; `progress` is 0..1."""

    id: str
    status: JobState
    stage: Stage
    progress: float = Field(ge=0, le=1)
    model: str
    input: GenerationParams
    output: list[ImageView] | None
    error: JobProblem | None
    notes: list[str] = Field(description="What was done to make it run, as when memory ran out.")
    cache: CacheOutcome
    queue_position: int | None = Field(
        description="Jobs that go first; null unless queued, and in lists."
    )
    priority: int
    batch: str | None = Field(description="The batch it belongs to.")
    metadata: dict[str, str]
    metrics: Metrics
    created_at: Moment
    started_at: Moment | None
    completed_at: Moment | None
    deadline_at: Moment | None
    urls: Urls


class JobList(BaseModel):
    """Newest first; pass `cursor` back for the next page, null at the end."""

    jobs: list[JobView]
    cursor: str | None


class LoraView(BaseModel):
    """A LoRA that a request for the model may name; `trigger` is what the prompt should say."""

    name: str
    title: str
    trigger: str


class ControlNetView(BaseModel):
    """A ControlNet that a request for the model may name; `kind` says what its image shows."""

    name: str
    title: str
    kind: str


class RefinerView(BaseModel):
    """A refiner that a request for the model may name."""

    name: str
    title: str


class ResidentView(BaseModel):
    """Workers of one pool that hold a model: on the device, in host memory, or on local disk."""

    pool: str
    tier: Tier
    workers: int
    size_bytes: int = Field(description="Of its weights in one worker; 0 on disk.")


class ModelView(BaseModel):
    """A model this farm offers, and what may be added to it."""

    name: str
    title: str
    description: str
    family: str
    licence: str
    languages: list[str] = Field(description="Languages its text encoder understands.")
    max_prompt_tokens: int = Field(description="How long a prompt it reads.")
    is_default: bool
    modes: list[Mode]
    controlnet_modes: list[Mode] = Field(description="Modes in which a ControlNet may be named.")
    controlnets: list[ControlNetView]
    loras: list[LoraView]
    refiners: list[RefinerView]
    schedulers: list[str] = Field(description="Noise schedulers it takes.")
    resident: list[ResidentView] = Field(description="Where it is held ready, nearest first.")
    defaults: Defaults
    limits: Limits


class ModelList(BaseModel):
    """Every model; the default comes first."""

    models: list[ModelView]
    schedulers: list[str] = Field(description="Noise schedulers that some model takes.")


class WebhookSecret(BaseModel):
    """What webhooks are signed with (Standard Webhooks)."""

    key: str = Field(pattern="^whsec_")
