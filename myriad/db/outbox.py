"""Events and the webhook deliveries they owe, written in the transaction that makes them true."""

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from myriad.address import host_of
from myriad.db.joined import Joined
from myriad.db.tables import BatchRow, EventRow, JobRow, WebhookDeliveryRow
from myriad.fault import fault
from myriad.job import EventKind

BATCH = "batch"
"""`kind` of a delivery that tells of a batch's end; of others it is the event's."""

_AT_ONCE = 500
"""Jobs told of in one statement."""


def record_event(session: Session, job: JobRow, kind: EventKind, at: datetime) -> None:
    """Append the job's next event and, if its webhook wants that kind, a delivery due now."""
    record_events(session, [job], [kind], at)


def record_events(
    session: Session, jobs: Sequence[JobRow | Joined], kinds: Sequence[EventKind], at: datetime
) -> None:
    """The same for each of many jobs, one event of each kind, in as few statements as for one."""
    for begin in range(0, len(jobs), _AT_ONCE):
        _record(session, jobs[begin : begin + _AT_ONCE], kinds, at)


def record_batch_end(session: Session, batch: BatchRow, last_id: str, at: datetime) -> None:
    """Owe the batch's webhook word of its end; filed under the job that ended last."""
    fault("before_webhook_row")
    owed = _delivery(batch.webhook or "", last_id, BATCH, 1, at)
    session.add(WebhookDeliveryRow(**owed, batch_id=batch.id))
    session.flush()


def _record(
    session: Session, jobs: Sequence[JobRow | Joined], kinds: Sequence[EventKind], at: datetime
) -> None:
    last = _last_sequences(session, jobs)
    events, owed = [], []
    for job in jobs:
        for sequence, kind in enumerate(kinds, last.get(job.id, 0) + 1):
            events.append(
                {"job_id": job.id, "sequence": sequence, "kind": kind.value, "created_at": at}
            )
            if job.webhook and kind.value in job.webhook_events_filter:
                owed.append(_delivery(job.webhook, job.id, kind.value, sequence, at))
    session.execute(insert(EventRow), events)
    if owed:
        fault("before_webhook_row")
        session.execute(insert(WebhookDeliveryRow), owed)


def _last_sequences(session: Session, jobs: Sequence[JobRow | Joined]) -> dict[str, int]:
    query = (
        select(EventRow.job_id, func.max(EventRow.sequence))
        .where(EventRow.job_id.in_([job.id for job in jobs]))
        .group_by(EventRow.job_id)
    )
    return {job_id: last for job_id, last in session.execute(query)}  # noqa: C416 - no tuples


def _delivery(url: str, job_id: str, kind: str, sequence: int, at: datetime) -> dict[str, Any]:
    """The columns of a delivery that is due."""
    return {
        "id": f"msg_{secrets.token_hex(16)}",
        "job_id": job_id,
        "kind": kind,
        "sequence": sequence,
        "url": url,
        "host": host_of(url),
        "state": "pending",
        "tries": 0,
        "next_attempt_at": at,
        "created_at": at,
    }
