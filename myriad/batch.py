"""A batch, many jobs asked for at once: how it stands, and how the API and its webhook show it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from myriad.job import JobState
from myriad.status import moment


@dataclass(frozen=True)
class BatchRecord:
    """`total` jobs were asked for; `counts` has those that there are, by state.

    A job that was deleted is in no count and done. `progress` is 0..1.
    """

    id: str
    api_key_id: str | None
    total: int
    counts: Mapping[JobState, int]
    progress: float
    metadata: dict[str, str]
    created_at: datetime
    completed_at: datetime | None
    canceled_at: datetime | None

    @property
    def status(self) -> str:
        """`running` until its last job has ended."""
        if self.completed_at is None:
            return "running"
        return "canceled" if self.canceled_at else "completed"


@dataclass(frozen=True)
class BatchPage:
    """Newest first; `cursor` continues the list, None at its end."""

    batches: tuple[BatchRecord, ...]
    cursor: str | None


def batch_view(record: BatchRecord, *, base_url: str) -> dict[str, Any]:
    """The JSON body of a batch."""
    api = f"{base_url.rstrip('/')}/api/v1"
    return {
        "id": record.id,
        "status": record.status,
        "progress": record.progress,
        "total": record.total,
        "counts": {state.value: record.counts.get(state, 0) for state in JobState},
        "metadata": record.metadata,
        "created_at": moment(record.created_at),
        "completed_at": moment(record.completed_at),
        "canceled_at": moment(record.canceled_at),
        "urls": {
            "get": f"{api}/batches/{record.id}",
            "cancel": f"{api}/batches/{record.id}/cancel",
            "jobs": f"{api}/jobs?batch={record.id}",
        },
    }
