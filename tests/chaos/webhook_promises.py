"""What is promised of webhooks: each event that is owed arrives, signed, under one id."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

from standardwebhooks import Webhook

from myriad.db.tables import WebhookDeliveryRow
from tests.chaos.evidence import Evidence, grouped
from tests.chaos.history import Line

_UNDER_WAY_S = 30.0


def every_event_is_owed_once(evidence: Evidence) -> Iterator[str]:
    """An event that the job's caller wants to hear of has one delivery, and no other has."""
    for job in evidence.jobs.values():
        wanted = job.webhook_events_filter if job.webhook else []
        owed = [event for event in evidence.events.get(job.id, []) if event.kind in wanted]
        rows = evidence.deliveries.get(job.id, [])
        if sorted(row.kind for row in rows) != sorted(event.kind for event in owed):
            yield f"{job.id} owes {[e.kind for e in owed]} and has {[r.kind for r in rows]}"


def every_webhook_arrives(evidence: Evidence) -> Iterator[str]:
    """Each delivery was received and answered 2xx, and its row says so."""
    receipts = grouped(evidence.receipts, lambda line: str(line["id"]))
    for row in _deliveries(evidence):
        lines = receipts.get(row.id, [])
        if row.state != "delivered":
            yield f"{row.id} of {row.job_id} is {row.state} after {row.tries} tries"
        if not any(line["answered"] == 204 for line in lines):
            yield f"{row.id} of {row.job_id} was never received"


def one_id_per_event(evidence: Evidence) -> Iterator[str]:
    """Every try of an event carries the id of its row, and tells of that event."""
    rows = {row.id: row for row in _deliveries(evidence)}
    for line in evidence.receipts:
        row = rows.get(line["id"])
        if row is None:
            yield f"a webhook under the unknown id {line['id']}"
            continue
        body = json.loads(line["body"])
        told = (body["data"]["id"], body["type"], body["sequence"])
        if told != (row.job_id, f"job.{row.kind}", row.sequence):
            yield f"{row.id} told of {told}"
        job = evidence.jobs.get(row.job_id)
        if job and row.kind == "completed" and body["data"]["status"] != job.state:
            yield f"{row.id} said that {row.job_id} is {body['data']['status']}"


def every_webhook_is_signed(evidence: Evidence) -> Iterator[str]:
    """`standardwebhooks` verifies each; if it was signed by a wrong clock, all but the time."""
    webhook, steps = Webhook(evidence.secret), evidence.lines("clock")
    for line in evidence.receipts:
        is_excused = _was_clock_off(steps, line["at"]) and _is_signed(webhook, line)
        if not line["is_verified"] and not is_excused:
            yield f"{line['id']} was not verified"


def _was_clock_off(steps: list[Line], at: float) -> bool:
    """Whether the farm's clock was off at that moment or shortly before."""
    now = [step["offset_s"] for step in steps if step["at"] <= at][-1:]
    lately = [step["offset_s"] for step in steps if at - _UNDER_WAY_S <= step["at"] <= at]
    before = [step["offset_s"] for step in steps if step["at"] < at - _UNDER_WAY_S][-1:]
    return any([*now, *lately, *(before if lately else [])])


def _is_signed(webhook: Webhook, line: Line) -> bool:
    at = datetime.fromtimestamp(int(line["timestamp"]), UTC)
    return bool(webhook.sign(line["id"], at, line["body"]) == line["signature"])


def _deliveries(evidence: Evidence) -> Iterator[WebhookDeliveryRow]:
    for rows in evidence.deliveries.values():
        yield from rows
