"""What a task needs from whoever does the work; `workers` implements it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from myriad.lease import Lease


class Control(Protocol):
    """A running stage's line to the outside. Every method returns at once and never blocks."""

    def check(self) -> None:
        """Raise a Stopped if the stage must stop. Called at every step.

        LeaseLost and DeadlineExceeded: drop the work. ShuttingDown and Preempted:
        the job goes on elsewhere, so a denoise first calls `checkpoint` with where
        it stands and then lets the exception out.
        """
        ...

    def progress(self, done: int, total: int) -> None:
        """Say that `done` of the stage's `total` steps are behind us."""
        ...

    def wants_preview(self) -> bool:
        """Whether a preview is due; true once each `preview_every_s`."""
        ...

    def preview(self, image: bytes) -> None:
        """Show a JPEG of at most 256 px and `PREVIEW_BYTES` bytes; larger ones are dropped."""
        ...

    def wants_checkpoint(self) -> bool:
        """Whether a checkpoint is due; true once each `checkpoint_every_s`."""
        ...

    def checkpoint(self, blob: bytes) -> None:
        """Keep `blob`, from which another worker may go on; the last one given stands."""
        ...

    def note(self, text: str) -> None:
        """Put something worth knowing on the job's record: "out_of_memory: fewer rows"."""
        ...


@dataclass(frozen=True)
class Picture:
    """One encoded file: what a decode stage returns for each image or video of the job.

    A video is one too: `video/mp4`, `num_frames` of them at `fps` a second.
    """

    data: bytes
    content_type: str
    width: int
    height: int
    seed: int
    thumbnail: bytes | None = None  # WebP, at most 256 px on the long side
    num_frames: int = 1
    fps: int | None = None
    flagged: bool = False  # the safety checker took it out: this one is blank


class StageRunner(Protocol):
    """Does the work of a stage. Blobs are opaque here (safetensors inside).

    Raises StageError for what went wrong and Stopped when `control` said so. Each
    stage asks `control` something when its turn comes, before it loads a model:
    one that has not yet done so is taken to wait, never to hang.
    """

    def encode(self, lease: Lease, inputs: Mapping[str, bytes], control: Control) -> bytes:
        """Prompt to embeddings, and the `inputs` (PNG by digest) to tensors, as one blob."""
        ...

    def denoise(
        self, lease: Lease, blob: bytes, control: Control, checkpoint: bytes | None = None
    ) -> bytes:
        """Embeddings to latents, as one blob.

        `checkpoint` is what an earlier attempt at this job handed to
        `Control.checkpoint`: go on from there. One that cannot be read, or is of
        another `blob`, `params` or release, is to be ignored.
        """
        ...

    def decode(self, lease: Lease, blob: bytes, control: Control) -> list[Picture]:
        """Latents to encoded pictures, one per seed, in order."""
        ...
