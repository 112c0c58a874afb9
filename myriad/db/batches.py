"""Looking at batches and canceling them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session

from myriad import clock
from myriad.batch import BatchPage, BatchRecord
from myriad.db.cursor import read_cursor, write_cursor
from myriad.db.database import Database
from myriad.db.jobs import visible
from myriad.db.tables import LIVE, BatchRow, JobRow
from myriad.errors import NotFound
from myriad.job import JobState, Stage, overall_progress

_Standing = Mapping[tuple[JobState, Stage], int]
"""How many jobs of a batch stand there."""


def find_batch(db: Database, batch_id: str, *, scope: str | None) -> BatchRecord:
    """The caller's batch. `scope` is as for `find_job`. Raises NotFound, also for another's."""
    with db.read() as session:
        row = session.scalar(
            select(BatchRow).where(BatchRow.id == batch_id, visible(scope, BatchRow))
        )
        if row is None:
            raise NotFound(f"no batch {batch_id}")
        return _records(session, [row])[0]


def list_batches(
    db: Database, *, scope: str | None, cursor: str | None = None, limit: int = 50
) -> BatchPage:
    """The caller's batches, newest first. Raises InvalidRequest for a cursor we did not make."""
    query = select(BatchRow).where(visible(scope, BatchRow))
    if cursor:
        query = query.where(tuple_(BatchRow.created_at, BatchRow.id) < read_cursor(cursor))
    query = query.order_by(BatchRow.created_at.desc(), BatchRow.id.desc()).limit(limit + 1)
    with db.read() as session:
        rows = session.scalars(query).all()
        page = rows[:limit]
        return BatchPage(
            batches=tuple(_records(session, page)),
            cursor=write_cursor(page[-1].created_at, page[-1].id) if len(rows) > limit else None,
        )


def begin_cancel(db: Database, batch_id: str, *, scope: str | None) -> list[str]:
    """Mark the batch as canceled and say which of its jobs are to be, last ones first.

    Each of them is then canceled in a transaction of its own: one for all would hold
    rows that workers wait for. Raises NotFound.
    """
    with db.write() as session:
        mine = select(BatchRow).where(BatchRow.id == batch_id, visible(scope, BatchRow))
        row = session.scalar(mine.with_for_update())
        if row is None:
            raise NotFound(f"no batch {batch_id}")
        if row.completed_at is None and row.canceled_at is None:
            row.canceled_at = clock.now()
        live = select(JobRow.id).where(JobRow.batch_id == batch_id, JobRow.state.in_(LIVE))
        return list(session.scalars(live.order_by(JobRow.created_at.desc())))


def _records(session: Session, rows: Sequence[BatchRow]) -> list[BatchRecord]:
    standing = _standing(session, [row.id for row in rows])
    return [_record(row, standing[row.id]) for row in rows]


def _standing(session: Session, ids: Sequence[str]) -> dict[str, _Standing]:
    kind = (JobRow.batch_id, JobRow.state, JobRow.stage)
    counted = select(*kind, func.count()).where(JobRow.batch_id.in_(ids)).group_by(*kind)
    found: dict[str, dict[tuple[JobState, Stage], int]] = defaultdict(dict)
    for batch_id, state, stage, count in session.execute(counted):
        found[batch_id or ""][JobState(state), Stage(stage)] = count
    return defaultdict(dict, found)


def _record(row: BatchRow, standing: _Standing) -> BatchRecord:
    counts = dict.fromkeys(JobState, 0)
    for (state, _), count in standing.items():
        counts[state] += count
    return BatchRecord(
        id=row.id,
        api_key_id=row.api_key_id,
        total=row.total,
        counts=counts,
        progress=_progress(row.total, standing),
        metadata=row.labels,
        created_at=row.created_at,
        completed_at=row.completed_at,
        canceled_at=row.canceled_at,
    )


def _progress(total: int, standing: _Standing) -> float:
    """What has ended is done, what has not as far as its stage; steps are not looked at."""
    to_do = sum(
        count * (1 - overall_progress(state, stage))
        for (state, stage), count in standing.items()
        if not state.is_final
    )
    return round(1 - to_do / total, 4)
