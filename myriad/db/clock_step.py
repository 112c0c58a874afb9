"""Times that lie further ahead than any rule sets them: the clock has been set back."""

from datetime import datetime, timedelta

from sqlalchemy import Update, update

from myriad import clock
from myriad.db.commit import LONGEST_PAUSE_S
from myriad.db.database import Database
from myriad.db.tables import LIVE, JobRow, WebhookDeliveryRow, WorkerRow
from myriad.job import JobState
from myriad.settings import Settings
from myriad.webhook import longest_delays


def bring_forward(db: Database, settings: Settings) -> int:
    """Set them to the latest that they can rightly be; returns how many rows there were.

    A job's deadline stays: it is what its caller asked for. Raises DatabaseUnavailable.
    """
    now = clock.now()
    with db.write() as session:
        done = [session.execute(change) for change in _changes(now, settings)]
        return sum(result.rowcount for result in done)  # type: ignore[attr-defined]


def _changes(now: datetime, settings: Settings) -> list[Update]:
    lease = timedelta(seconds=settings.lease_s)
    retry_s = settings.retry_delay_s * settings.max_tries
    pause = timedelta(seconds=max(settings.redispatch_s, retry_s, LONGEST_PAUSE_S))
    sender_lease = timedelta(seconds=settings.webhook_timeout_s * 2 + 10)
    pending = WebhookDeliveryRow.state == "pending"
    return [
        update(JobRow)
        .where(JobRow.state == JobState.RUNNING.value, JobRow.lease_until > now + 2 * lease)
        .values(lease_until=now + lease),
        update(JobRow)
        .where(JobRow.state.in_(LIVE), JobRow.dispatch_due > now + 2 * pause)
        .values(dispatch_due=now),
        update(WebhookDeliveryRow)
        .where(pending, WebhookDeliveryRow.lease_until > now + 2 * sender_lease)
        .values(lease_until=now + sender_lease),
        *(
            update(WebhookDeliveryRow)
            .where(
                pending,
                WebhookDeliveryRow.tries == tries,
                WebhookDeliveryRow.next_attempt_at > now + longest,
            )
            .values(next_attempt_at=now + longest)
            for tries, longest in enumerate(longest_delays())
        ),
        update(WorkerRow).where(WorkerRow.seen_at > now + lease).values(seen_at=now),
    ]
