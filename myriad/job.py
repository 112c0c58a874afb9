"""The pure rules of a job: states, stages, and how far along it is."""

from enum import StrEnum


class JobState(StrEnum):
    """`queued → running → succeeded | failed | canceled`."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def is_final(self) -> bool:
        return self in FINAL_STATES


FINAL_STATES = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELED})
LIVE_STATES = frozenset(JobState) - FINAL_STATES


class Stage(StrEnum):
    """What a worker does to a job, in this order."""

    ENCODE = "encode"
    DENOISE = "denoise"
    DECODE = "decode"

    @property
    def next(self) -> "Stage | None":
        order = list(Stage)
        place = order.index(self) + 1
        return order[place] if place < len(order) else None

    @property
    def previous(self) -> "Stage | None":
        order = list(Stage)
        place = order.index(self) - 1
        return order[place] if place >= 0 else None


class CacheOutcome(StrEnum):
    """How an answer came about: stored result, shared run, or a run of its own."""

    HIT = "hit"
    JOINED = "joined"
    MISS = "miss"


class EventKind(StrEnum):
    """What happens to a job that the outside may want to hear of (Replicate's words)."""

    START = "start"
    OUTPUT = "output"
    COMPLETED = "completed"


# Where each stage begins and ends on the progress bar. Denoising is nearly all
# of the work on every device we have measured.
_SPAN = {Stage.ENCODE: (0.0, 0.05), Stage.DENOISE: (0.05, 0.9), Stage.DECODE: (0.9, 1.0)}


def overall_progress(state: JobState, stage: Stage, fraction: float = 0.0) -> float:
    """How far a job is, 0..1, given the `fraction` 0..1 of its current stage."""
    if state is JobState.SUCCEEDED:
        return 1.0
    if state is JobState.QUEUED and stage is Stage.ENCODE:
        return 0.0
    start, end = _SPAN[stage]
    return round(start + (end - start) * min(max(fraction, 0.0), 1.0), 4)
