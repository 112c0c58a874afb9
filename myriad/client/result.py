"""What a job came to."""

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from PIL.Image import Image

Job: TypeAlias = dict[str, Any]
"""The JSON body of a job, as `GET /api/v1/jobs/{id}` answers."""

Batch: TypeAlias = dict[str, Any]
"""The JSON body of a batch, as `GET /api/v1/batches/{id}` answers."""

FINAL = frozenset({"succeeded", "failed", "canceled"})
"""`status` of a job that has ended."""


@dataclass(frozen=True)
class Result:
    """A job that succeeded, and the bytes of its picture files (PNG, WebP, JPEG or MP4)."""

    job: Job
    files: tuple[bytes, ...]

    @property
    def images(self) -> "list[Image]":
        """The pictures, opened with Pillow, which must be installed. Not for videos."""
        from PIL import Image

        return [Image.open(BytesIO(file)) for file in self.files]

    @property
    def seeds(self) -> list[int]:
        """What each picture was drawn from."""
        return [image["seed"] for image in self.job["output"]]
