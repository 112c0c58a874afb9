"""What a task needs from whoever does the work; `workers` implements it."""

from dataclasses import dataclass
from typing import Protocol

from myriad.lease import Lease


class Control(Protocol):
    """A running stage's line to the outside. Both methods return at once and never block."""

    def check(self) -> None:
        """Raise LeaseLost or ShuttingDown if the stage must stop. Called at every step."""
        ...

    def progress(self, done: int, total: int) -> None:
        """Say that `done` of the stage's `total` steps are behind us."""
        ...


@dataclass(frozen=True)
class Picture:
    """One encoded file: what a decode stage returns for each image of the job."""

    data: bytes
    content_type: str
    width: int
    height: int
    seed: int
    thumbnail: bytes | None = None  # WebP, at most 256 px on the long side


class StageRunner(Protocol):
    """Does the work of a stage. Blobs are opaque here (safetensors inside).

    Raises StageError for what went wrong and Stopped when `control` said so.
    """

    def encode(self, lease: Lease, control: Control) -> bytes:
        """Prompt to embeddings, as one blob."""
        ...

    def denoise(self, lease: Lease, blob: bytes, control: Control) -> bytes:
        """Embeddings to latents, as one blob."""
        ...

    def decode(self, lease: Lease, blob: bytes, control: Control) -> list[Picture]:
        """Latents to encoded pictures, one per seed, in order."""
        ...
