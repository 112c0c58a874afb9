"""The register of live workers: who is there, with how many slots, holding which models."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import bindparam, delete, func, select
from sqlalchemy.orm import Session

from myriad import clock
from myriad.claimant import Claimant
from myriad.db.database import Database
from myriad.db.tables import UtcDateTime, WorkerRow
from myriad.measured import Measured
from myriad.resident import Resident

_FORGET_AFTER = timedelta(hours=1)
_UNFIT = "unfit"


@dataclass(frozen=True)
class WorkerRecord:
    """One worker process; `models` and `measured` are as of `seen_at`."""

    name: str
    pool: str
    device: str
    slots: int
    models: tuple[Resident, ...]
    measured: Measured
    started_at: datetime
    seen_at: datetime


def report_worker(
    db: Database,
    who: Claimant,
    slots: int,
    models: Sequence[Resident],
    measured: Measured | None = None,
) -> None:
    """Say that the worker is alive, and forget those silent for long."""
    now = clock.now()
    with db.write() as session:
        # Locked: another's report may be forgetting it if the clock was set.
        row = session.get(WorkerRow, who.name, with_for_update=True)
        if row is None:
            row = WorkerRow(name=who.name, pool=who.pool, device=who.device, started_at=now)
            session.add(row)
        row.slots, row.models, row.seen_at = slots, [each.to_json() for each in models], now
        row.figures = (measured or Measured()).model_dump(mode="json")
        session.execute(delete(WorkerRow).where(WorkerRow.seen_at < now - _FORGET_AFTER))


def mark_unfit(db: Database, name: str, reason: str) -> None:
    """The worker left because it could not work; its row says why for an hour."""
    with db.write() as session:
        row = session.get(WorkerRow, name)
        if row is not None:
            row.slots, row.figures = 0, {**row.figures, _UNFIT: reason}


def unfit_workers(db: Database) -> dict[str, str]:
    """Why workers left that could not work, by pool; the latest of each."""
    query = select(WorkerRow).where(WorkerRow.slots == 0).order_by(WorkerRow.seen_at)
    with db.read() as session:
        rows = [row for row in session.scalars(query) if _UNFIT in row.figures]
        return {row.pool: row.figures[_UNFIT] for row in rows}


def forget_worker(db: Database, name: str) -> None:
    """The worker left in good order."""
    with db.write() as session:
        session.execute(delete(WorkerRow).where(WorkerRow.name == name))


def live_workers(db: Database, *, within_s: float) -> list[WorkerRecord]:
    """Workers that reported within the last `within_s` seconds."""
    since = clock.now() - timedelta(seconds=within_s)
    query = select(WorkerRow).where(WorkerRow.seen_at >= since).order_by(WorkerRow.name)
    with db.read() as session:
        return [
            WorkerRecord(
                name=row.name,
                pool=row.pool,
                device=row.device,
                slots=row.slots,
                models=tuple(Resident.from_json(each) for each in row.models),
                measured=Measured.model_validate(row.figures),
                started_at=row.started_at,
                seen_at=row.seen_at,
            )
            for row in session.scalars(query)
            if _UNFIT not in row.figures
        ]


def live_slots(session: Session, *, within_s: float) -> dict[str, int]:
    """Slots of the workers that reported within the last `within_s` seconds, by pool."""
    rows = session.execute(_SLOTS, {"since": clock.now() - timedelta(seconds=within_s)})
    return {pool: int(slots) for pool, slots in rows}


_SLOTS = (
    select(WorkerRow.pool, func.sum(WorkerRow.slots))
    .where(WorkerRow.seen_at >= bindparam("since", type_=UtcDateTime()))
    .group_by(WorkerRow.pool)
)
