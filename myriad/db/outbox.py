"""Events and the webhook deliveries they owe, written in the transaction that makes them true."""

import secrets
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from myriad.address import host_of
from myriad.db.tables import EventRow, JobRow, WebhookDeliveryRow
from myriad.fault import fault
from myriad.job import EventKind


def record_event(session: Session, job: JobRow, kind: EventKind, at: datetime) -> None:
    """Append the job's next event and, if its webhook wants that kind, a delivery due now."""
    last = session.scalar(
        select(func.coalesce(func.max(EventRow.sequence), 0)).where(EventRow.job_id == job.id)
    )
    sequence = (last or 0) + 1
    session.add(EventRow(job_id=job.id, sequence=sequence, kind=kind.value, created_at=at))
    if job.webhook and kind.value in job.webhook_events_filter:
        fault("before_webhook_row")
        session.add(_delivery(job, kind, sequence, at))
    session.flush()


def _delivery(job: JobRow, kind: EventKind, sequence: int, at: datetime) -> WebhookDeliveryRow:
    return WebhookDeliveryRow(
        id=f"msg_{secrets.token_hex(16)}",
        job_id=job.id,
        kind=kind.value,
        sequence=sequence,
        url=job.webhook,
        host=host_of(job.webhook or ""),
        state="pending",
        tries=0,
        next_attempt_at=at,
        created_at=at,
    )
