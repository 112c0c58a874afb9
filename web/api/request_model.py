"""Headers and queries of the native API."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from myriad.job import JobState
from web.job_request import StrictModel

IdempotencyKey = Annotated[
    str | None,
    Field(
        min_length=1,
        max_length=255,
        pattern=r"^[\x20-\x7e]+$",
        description="The same key and body within a day get the same answer, made once.",
    ),
]


class JobHeaders(BaseModel):
    """Headers of `POST /api/v1/jobs`."""

    idempotency_key: IdempotencyKey = None
    prefer: str | None = Field(
        None, description="`wait` or `wait=SECONDS`: hold the answer until the job is final."
    )


class JobQuery(StrictModel):
    """Which jobs to list."""

    model_config = ConfigDict(strict=False)

    status: JobState | None = None
    model: str | None = Field(None, max_length=64, pattern=r"^[A-Za-z0-9._-]*$")
    batch: str | None = Field(None, pattern=r"^[0-9a-f]{32}$", description="A batch's id.")
    cursor: str | None = Field(None, max_length=200, description="Where the last page ended.")
    limit: int = Field(50, ge=1, le=100)
