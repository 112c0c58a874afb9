"""Webhook deliveries as rows with due times, taken one lease at a time."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Update, select, update

from myriad import clock
from myriad.db.database import Database
from myriad.db.host_share import Room, due_deliveries
from myriad.db.tables import WebhookDeliveryRow
from myriad.fault import fault
from myriad.webhook import Receipt

_ERROR_CHARS = 500


@dataclass(frozen=True)
class Delivery:
    """One try at telling one address of one event; `tries` counts this one.

    Of a job, `kind` is the event's; of a batch, `myriad.db.outbox.BATCH`.
    """

    id: str
    job_id: str
    batch_id: str | None
    kind: str
    sequence: int
    url: str
    host: str
    tries: int


def take_deliveries(db: Database, *, room: Room, limit: int, lease_s: float) -> list[Delivery]:
    """Deliveries due now, held for `lease_s` so that no other sender takes them too.

    At most `limit` together, and of each receiver as many as it has `room` for.
    """
    with db.read() as session:
        ids = due_deliveries(session, room, limit)
    if not ids:
        return []
    query = select(WebhookDeliveryRow).where(WebhookDeliveryRow.id.in_(ids))
    with db.write() as session:
        now, taken = clock.now(), []
        for row in session.scalars(query.with_for_update(skip_locked=True)):
            if row.state == "pending" and (row.lease_until is None or row.lease_until < now):
                row.lease_until = clock.after(lease_s)
                row.tries += 1
                taken.append(_delivery(row))
        return taken


def settle_delivery(
    db: Database,
    delivery: Delivery,
    receipt: Receipt,
    next_delay: Callable[[int], timedelta | None],
) -> None:
    """Write down what came of a try: delivered, due again, gone or given up."""
    if receipt.is_delivered:
        fault("after_webhook_200_before_mark")
    now = clock.now()
    with db.write() as session:
        row = session.get(WebhookDeliveryRow, delivery.id, with_for_update=True)
        if row is None or row.state != "pending" or row.tries != delivery.tries:
            return  # another sender took it over and has the say
        row.lease_until, row.last_status = None, receipt.status
        row.last_error = receipt.error[:_ERROR_CHARS] if receipt.error else None
        row.next_attempt_at = now  # of one that is settled: when that was
        pause = next_delay(delivery.tries)
        if receipt.is_delivered:
            row.state, row.delivered_at = "delivered", now
        elif receipt.is_gone:
            row.state = "gone"
            session.execute(_pending_of(delivery).values(state="gone", next_attempt_at=now))
        elif pause is None:
            row.state = "given_up"
        else:
            row.next_attempt_at = now + pause


def _pending_of(delivery: Delivery) -> Update:
    """A receiver that said 410 wants nothing more of this job, or of this batch."""
    return update(WebhookDeliveryRow).where(
        WebhookDeliveryRow.job_id == delivery.job_id,
        WebhookDeliveryRow.batch_id.is_not_distinct_from(delivery.batch_id),
        WebhookDeliveryRow.url == delivery.url,
        WebhookDeliveryRow.state == "pending",
    )


def _delivery(row: WebhookDeliveryRow) -> Delivery:
    return Delivery(
        id=row.id,
        job_id=row.job_id,
        batch_id=row.batch_id,
        kind=row.kind,
        sequence=row.sequence,
        url=row.url,
        host=row.host or "",
        tries=row.tries,
    )
