"""What a stage is called with: a lease, and a control that remembers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from myriad.errors import LeaseLost
from myriad.job import Stage
from myriad.lease import Lease
from myriad.params import GenerationParams
from workers.runner import Runner

MakeRunner = Callable[..., Runner]
Parted = Mapping[Stage, Runner]
MakeLease = Callable[..., Lease]


@dataclass
class FakeControl:
    """Remembers progress; loses the lease after `stop_after` reports of it."""

    stop_after: int | None = None
    takes_previews: bool = False
    takes_checkpoints: bool = False
    seen: list[tuple[int, int]] = field(default_factory=list)
    previews: list[bytes] = field(default_factory=list)
    checkpoints: list[bytes] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def check(self) -> None:
        if self.stop_after is not None and len(self.seen) >= self.stop_after:
            raise LeaseLost("the job was canceled")

    def progress(self, done: int, total: int) -> None:
        self.seen.append((done, total))

    def wants_preview(self) -> bool:
        return self.takes_previews

    def preview(self, image: bytes) -> None:
        self.previews.append(image)

    def wants_checkpoint(self) -> bool:
        return self.takes_checkpoints

    def checkpoint(self, blob: bytes) -> None:
        self.checkpoints.append(blob)

    def note(self, text: str) -> None:
        self.notes.append(text)


def make_lease(model: str, params: GenerationParams) -> Lease:
    return Lease(
        job_id="job",
        stage=Stage.ENCODE,
        attempt=1,
        tries=1,
        rewinds=0,
        model=model,
        params=params,
        artifact_key=None,
        owner="worker",
        created_at=datetime(2026, 11, 1, tzinfo=UTC),
        metadata={},
    )
