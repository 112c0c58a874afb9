"""How a job's state is called at each door: the one table."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from myriad.job import JobState


@dataclass(frozen=True)
class StateWords:
    """One state in the words of every interface that has words for it."""

    replicate: Literal["starting", "processing", "succeeded", "failed", "canceled"]
    openai_video: Literal["queued", "in_progress", "completed", "failed"]
    comfyui: Literal["pending", "running", "success", "error"]


STATE_WORDS: Mapping[JobState, StateWords] = {
    JobState.QUEUED: StateWords("starting", "queued", "pending"),
    JobState.RUNNING: StateWords("processing", "in_progress", "running"),
    JobState.SUCCEEDED: StateWords("succeeded", "completed", "success"),
    JobState.FAILED: StateWords("failed", "failed", "error"),
    # OpenAI's videos know no such end: they fail, with the code `canceled`.
    JobState.CANCELED: StateWords("canceled", "failed", "error"),
}
