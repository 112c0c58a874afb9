"""What the native API takes and gives back of batches."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from web.api.request_model import IdempotencyKey
from web.api.response_model import Moment
from web.job_request import MAX_LABELS, Label, LabelText, StrictModel, few


class BatchRequest(StrictModel):
    """Many jobs at once: `jobs`, or a `template` with a `grid` of what changes."""

    jobs: list[dict[str, Any]] | None = Field(
        None, min_length=1, description="Each as the body of `POST /api/v1/jobs`."
    )
    template: dict[str, Any] | None = Field(
        None, description="A job's body, without the fields of `grid`."
    )
    grid: dict[str, list[Any]] | None = Field(
        None,
        min_length=1,
        description="Fields with their values: one job for each combination.",
        examples=[{"seed": [1, 2, 3], "guidance_scale": [3, 5]}],
    )
    webhook: str | None = Field(None, max_length=2048, description="Told when its last job ended.")
    metadata: Annotated[
        dict[Label, LabelText], Field(max_length=MAX_LABELS), BeforeValidator(few)
    ] = Field({}, description="Labels of your own, given back with the batch.")


class BatchHeaders(BaseModel):
    """Headers of `POST /api/v1/batches`."""

    idempotency_key: IdempotencyKey = None


class BatchQuery(StrictModel):
    """Which batches to list."""

    model_config = ConfigDict(strict=False)

    cursor: str | None = Field(None, max_length=200, description="Where the last page ended.")
    limit: int = Field(50, ge=1, le=100)


class Counts(BaseModel):
    """Jobs of a batch by state."""

    queued: int
    running: int
    succeeded: int
    failed: int
    canceled: int


class BatchUrls(BaseModel):
    """Where to look at the batch, end it, and see its jobs."""

    get: str
    cancel: str
    jobs: str


class BatchView(BaseModel):
    """A batch; a job of it that was deleted is in `total` alone."""

    id: str
    status: Literal["running", "completed", "canceled"]
    progress: float = Field(ge=0, le=1)
    total: int
    counts: Counts
    metadata: dict[str, str]
    created_at: Moment
    completed_at: Moment | None
    canceled_at: Moment | None
    urls: BatchUrls


class BatchList(BaseModel):
    """Newest first; pass `cursor` back for the next page, null at the end."""

    batches: list[BatchView]
    cursor: str | None
