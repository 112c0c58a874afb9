"""One running stage's line to the outside (`tasks.runner.Control`)."""

from collections.abc import Callable
from time import monotonic

from myriad import clock
from myriad.errors import DeadlineExceeded, Stopped
from myriad.fault import fault
from myriad.lease import Lease
from myriad.settings import Settings

_MOST_NOTES = 20


class Pace:
    """Says yes once each `every_s` seconds, first after as many; never if that is 0."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._next = monotonic() + every_s

    def is_due(self) -> bool:
        """Whether it is time; a yes is said once."""
        if not self._every_s or monotonic() < self._next:
            return False
        self._next = monotonic() + self._every_s
        return True


class LeaseControl:
    """What the stage says is left here for the threads of tasks/ to carry on; nothing blocks.

    Every call of the stage is a sign of life. `keep` takes a checkpoint, at once.
    """

    def __init__(
        self, lease: Lease, settings: Settings, keep: Callable[[Lease, bytes], None]
    ) -> None:
        self.lease = lease
        self._keep = keep
        self._preview_pace = Pace(settings.preview_every_s)
        self._checkpoint_pace = Pace(settings.checkpoint_every_s)
        self._stopped: Stopped | None = None
        self._fraction: float | None = None
        self._preview: bytes | None = None
        self._notes: list[str] = []
        self._sign = monotonic()
        self._has_begun = False

    def check(self) -> None:
        """Raise what `stop` was called with, or DeadlineExceeded."""
        self._live()
        self.raise_if_stopped()

    def progress(self, done: int, total: int) -> None:
        self._live()
        self._fraction = done / max(total, 1)
        fault("mid_step")

    def wants_preview(self) -> bool:
        self._live()
        return self._preview_pace.is_due()

    def preview(self, image: bytes) -> None:
        self._live()
        self._preview = image

    def wants_checkpoint(self) -> bool:
        self._live()
        return self._checkpoint_pace.is_due()

    def checkpoint(self, blob: bytes) -> None:
        self._live()
        self._keep(self.lease, blob)

    def note(self, text: str) -> None:
        self._live()
        self._notes = [*self._notes, text][-_MOST_NOTES:]

    def raise_if_stopped(self) -> None:
        """`check` for others than the stage: no sign of its life."""
        if self._stopped:
            raise self._stopped
        deadline = self.lease.deadline_at
        if deadline and clock.now() >= deadline:
            raise DeadlineExceeded("not finished by its deadline")

    def stop(self, why: Stopped) -> None:
        """End the stage at its next step; the first reason stands."""
        self._stopped = self._stopped or why

    def touch(self) -> None:
        """A sign of life by whoever acts for the stage now."""
        self._live()

    @property
    def is_stopped(self) -> bool:
        return self._stopped is not None

    @property
    def has_begun(self) -> bool:
        """Whether the stage has given any sign of life; before, it waits for its turn."""
        return self._has_begun

    @property
    def silent_s(self) -> float:
        """Seconds since the last sign of life, or since the beginning."""
        return monotonic() - self._sign

    @property
    def notes(self) -> list[str]:
        """What the stage has noted so far."""
        return self._notes

    def take_fraction(self) -> float | None:
        """Progress not yet published, once."""
        fraction, self._fraction = self._fraction, None
        return fraction

    def take_preview(self) -> bytes | None:
        """The latest preview not yet published, once."""
        preview, self._preview = self._preview, None
        return preview

    def _live(self) -> None:
        self._sign, self._has_begun = monotonic(), True
