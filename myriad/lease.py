"""What a worker holds while it works on one stage of one job."""

import time
from dataclasses import dataclass, field
from datetime import datetime

from myriad.job import Stage
from myriad.params import GenerationParams


@dataclass(frozen=True)
class Lease:
    """Filled by the claim from the job's row; `attempt` is the fencing token.

    Whoever commits must name the attempt; a later claim bumps it, so a worker
    that was thought dead can never write over its successor. `held_since` is a
    moment of this process's `time.monotonic()`: when the job came to the worker,
    stages it has done since included.
    """

    job_id: str
    stage: Stage
    attempt: int
    tries: int
    rewinds: int
    model: str
    params: GenerationParams
    artifact_key: str | None
    owner: str
    created_at: datetime
    metadata: dict[str, str]
    deadline_at: datetime | None = None
    traceparent: str | None = None
    held_since: float = field(default_factory=time.monotonic)
