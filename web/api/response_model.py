"""What the native API answers with."""

from typing import Annotated

from pydantic import BaseModel, Field

from myriad.catalog import Defaults, Limits
from myriad.job import CacheOutcome, JobState, Stage
from myriad.params import GenerationParams

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
    """Why a job failed."""

    code: str
    message: str


class ImageView(BaseModel):
    """One finished picture; `url` is short-lived: ask for the job again for a fresh one."""

    url: str
    seed: int
    width: int
    height: int
    content_type: str
    sha256: str


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
    cache: CacheOutcome
    queue_position: int | None = Field(description="Jobs that go first; null unless queued.")
    priority: int
    metadata: dict[str, str]
    metrics: Metrics
    created_at: Moment
    started_at: Moment | None
    completed_at: Moment | None
    urls: Urls


class JobList(BaseModel):
    """Newest first; pass `cursor` back for the next page, null at the end."""

    jobs: list[JobView]
    cursor: str | None


class ModelView(BaseModel):
    """A model this farm offers."""

    name: str
    title: str
    description: str
    family: str
    licence: str
    languages: list[str] = Field(description="Languages its text encoder understands.")
    max_prompt_tokens: int
    is_default: bool
    defaults: Defaults
    limits: Limits


class ModelList(BaseModel):
    """Every model; the default comes first."""

    models: list[ModelView]
    schedulers: list[str] = Field(description="Noise schedulers a request may name.")


class WebhookSecret(BaseModel):
    """What webhooks are signed with (Standard Webhooks)."""

    key: str = Field(pattern="^whsec_")
