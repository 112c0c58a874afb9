"""Short cuts through a job's life."""

from datetime import timedelta

from sqlalchemy import select, update

from myriad import clock
from myriad.claimant import Claimant
from myriad.db.claim import claim
from myriad.db.commit import advance, finish
from myriad.db.database import Database
from myriad.db.tables import Base, EventRow, ImageRow, JobRow, WebhookDeliveryRow
from myriad.db.waiting import due_models
from myriad.job import Stage
from myriad.lease import Lease


def take(db: Database, job_id: str, stage: Stage, by: Claimant) -> Lease:
    lease = claim(db, job_id, stage, by, lease_s=60)
    assert lease is not None
    return lease


def picture(seed: int = 1, name: str = "a") -> ImageRow:
    return ImageRow(
        index=0,
        storage_key=f"images/{name}.png",
        thumbnail_key=None,
        sha256="0" * 64,
        size_bytes=3,
        content_type="image/png",
        seed=seed,
        width=64,
        height=64,
    )


def run_to_decode(db: Database, job_id: str, by: Claimant) -> Lease:
    """Everything up to the held decode stage."""
    for stage in (Stage.ENCODE, Stage.DENOISE):
        assert advance(db, take(db, job_id, stage, by), f"{stage}-out")
    return take(db, job_id, Stage.DECODE, by)


def run_whole(db: Database, job_id: str, by: Claimant) -> None:
    assert finish(db, run_to_decode(db, job_id, by), [picture()])


def expire_lease(db: Database, job_id: str) -> None:
    """As if the lease's time had passed."""
    with db.write() as session:
        past = clock.now() - timedelta(seconds=1)
        session.execute(update(JobRow).where(JobRow.id == job_id).values(lease_until=past))


def has_due(db: Database, stage: Stage) -> bool:
    """Whether any job waits for a hint to that stage."""
    with db.read() as session:
        return stage in due_models(session)


def job_row(db: Database, job_id: str) -> JobRow:
    with db.read() as session:
        row = session.get_one(JobRow, job_id)
        session.expunge(row)
        return row


def count(db: Database, table: type[Base]) -> int:
    with db.read() as session:
        return len(session.scalars(select(table)).all())


def event_kinds(db: Database, job_id: str) -> list[str]:
    query = select(EventRow.kind).where(EventRow.job_id == job_id).order_by(EventRow.sequence)
    with db.read() as session:
        return list(session.scalars(query))


def delivery_kinds(db: Database, job_id: str) -> list[str]:
    query = (
        select(WebhookDeliveryRow.kind)
        .where(WebhookDeliveryRow.job_id == job_id)
        .order_by(WebhookDeliveryRow.sequence)
    )
    with db.read() as session:
        return list(session.scalars(query))
