"""Events and the webhook deliveries they owe, written in the transaction that makes them true."""

import secrets
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from myriad.address import host_of
from myriad.db.tables import BatchRow, EventRow, JobRow, WebhookDeliveryRow
from myriad.fault import fault
from myriad.job import EventKind

BATCH = "batch"
"""`kind` of a delivery that tells of a batch's end; of others it is the event's."""


def record_event(session: Session, job: JobRow, kind: EventKind, at: datetime) -> None:
    """Append the job's next event and, if its webhook wants that kind, a delivery due now."""
    last = session.scalar(
        select(func.coalesce(func.max(EventRow.sequence), 0)).where(EventRow.job_id == job.id)
    )
    sequence = (last or 0) + 1
    session.add(EventRow(job_id=job.id, sequence=sequence, kind=kind.value, created_at=at))
    if job.webhook and kind.value in job.webhook_events_filter:
        fault("before_webhook_row")
        session.add(_delivery(job.webhook, job.id, kind.value, sequence, at))
    session.flush()


def record_batch_end(session: Session, batch: BatchRow, last_id: str, at: datetime) -> None:
    """Owe the batch's webhook word of its end; filed under the job that ended last."""
    fault("before_webhook_row")
    delivery = _delivery(batch.webhook or "", last_id, BATCH, 1, at)
    delivery.batch_id = batch.id
    session.add(delivery)
    session.flush()


def _delivery(url: str, job_id: str, kind: str, sequence: int, at: datetime) -> WebhookDeliveryRow:
    return WebhookDeliveryRow(
        id=f"msg_{secrets.token_hex(16)}",
        job_id=job_id,
        kind=kind,
        sequence=sequence,
        url=url,
        host=host_of(url),
        state="pending",
        tries=0,
        next_attempt_at=at,
        created_at=at,
    )
