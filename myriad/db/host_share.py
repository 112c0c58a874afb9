"""Which deliveries to try next: a few of each receiver, so that none keeps the others waiting."""

import random
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from myriad import clock
from myriad.db.distinct import distinct_values
from myriad.db.tables import WebhookDeliveryRow

Room = Callable[[str], int]
"""How many more deliveries a receiver (`host`) may get just now."""

_dice = random.Random()  # noqa: S311 - no secret


def due_deliveries(session: Session, room: Room, limit: int) -> list[str]:
    """Ids of at most `limit` deliveries that are due, no more of a receiver than it has room.

    The receivers come in an order drawn by lot, each one's deliveries by age. Reads
    one index entry for each receiver and the rows it returns, however many are due.
    """
    due = _is_due(clock.now())
    hosts = distinct_values(session, WebhookDeliveryRow.host, due)
    _dice.shuffle(hosts)
    ids: list[str] = []
    for host in hosts:
        most = min(room(host or ""), limit - len(ids))
        if most > 0:
            ids += _oldest(session, and_(due, WebhookDeliveryRow.host == host), most)
    return ids


def _oldest(session: Session, due: ColumnElement[bool], most: int) -> list[str]:
    query = (
        select(WebhookDeliveryRow.id)
        .where(due)
        .order_by(WebhookDeliveryRow.next_attempt_at, WebhookDeliveryRow.sequence)
        .limit(most)
    )
    return list(session.scalars(query))


def _is_due(now: datetime) -> ColumnElement[bool]:
    return and_(
        WebhookDeliveryRow.state == "pending",
        WebhookDeliveryRow.next_attempt_at <= now,
        or_(WebhookDeliveryRow.lease_until.is_(None), WebhookDeliveryRow.lease_until < now),
    )
