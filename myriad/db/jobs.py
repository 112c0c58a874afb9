"""Looking at jobs: one, or a page of them, as records."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import ColumnElement, select, true, tuple_
from sqlalchemy.orm import Session

from myriad.db.cursor import read_cursor, write_cursor
from myriad.db.database import Database
from myriad.db.position import queue_position
from myriad.db.tables import LIVE, BatchRow, ImageRow, JobRow, StageRunRow
from myriad.errors import NotFound
from myriad.job import CacheOutcome, JobState, Stage
from myriad.record import ImageRecord, JobPage, JobRecord


def find_job(db: Database, job_id: str, *, scope: str | None) -> JobRecord:
    """The caller's job. `scope` is an API key's id, "" for callers without one, None for any.

    Raises NotFound for jobs that are not there or another's: the two look alike.
    """
    with db.read() as session:
        job = session.scalar(select(JobRow).where(JobRow.id == job_id, visible(scope)))
        if job is None:
            raise NotFound(f"no job {job_id}")
        return replace(_records(session, [job])[0], queue_position=queue_position(session, job))


def list_jobs(
    db: Database,
    *,
    scope: str | None,
    state: JobState | None = None,
    has_ended: bool = False,
    model: str | None = None,
    door: str | None = None,
    batch: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> JobPage:
    """The caller's jobs, newest first; with `has_ended` only those that have.

    Raises InvalidRequest for a cursor we did not make.
    """
    query = select(JobRow).where(visible(scope))
    if state:
        query = query.where(JobRow.state == state.value)
    if has_ended:
        query = query.where(JobRow.state.not_in(LIVE))
    if model:
        query = query.where(JobRow.model == model)
    if door:
        query = query.where(JobRow.door == door)
    if batch:
        query = query.where(JobRow.batch_id == batch)
    if cursor:
        query = query.where(tuple_(JobRow.created_at, JobRow.id) < read_cursor(cursor))
    query = query.order_by(JobRow.created_at.desc(), JobRow.id.desc()).limit(limit + 1)
    with db.read() as session:
        rows = session.scalars(query).all()
        page = rows[:limit]
        return JobPage(
            jobs=tuple(_records(session, page)),
            cursor=write_cursor(page[-1].created_at, page[-1].id) if len(rows) > limit else None,
        )


def traceparent_of(db: Database, job_id: str) -> str | None:
    """The trace (W3C) of the request that made the job, if it had one."""
    with db.read() as session:
        return session.scalar(select(JobRow.traceparent).where(JobRow.id == job_id))


def visible(
    scope: str | None, table: type[JobRow] | type[BatchRow] = JobRow
) -> ColumnElement[bool]:
    """Which jobs, or batches, a caller may see."""
    if scope is None:
        return true()
    return table.api_key_id == scope if scope else table.api_key_id.is_(None)


def _records(session: Session, jobs: Sequence[JobRow]) -> list[JobRecord]:
    images = _images(session, [job.id for job in jobs])
    seconds = _stage_seconds(session, [job.leader_id or job.id for job in jobs])
    return [
        _record(
            job,
            images[job.id],
            seconds[job.leader_id or job.id],
        )
        for job in jobs
    ]


def _images(session: Session, job_ids: Sequence[str]) -> dict[str, list[ImageRecord]]:
    query = (
        select(ImageRow)
        .where(ImageRow.job_id.in_(job_ids))
        .order_by(ImageRow.job_id, ImageRow.index)
    )
    found: dict[str, list[ImageRecord]] = defaultdict(list)
    for row in session.scalars(query):
        found[row.job_id].append(
            ImageRecord(
                index=row.index,
                storage_key=row.storage_key,
                thumbnail_key=row.thumbnail_key,
                sha256=row.sha256,
                size_bytes=row.size_bytes,
                content_type=row.content_type,
                seed=row.seed,
                width=row.width,
                height=row.height,
                num_frames=row.num_frames,
                fps=row.fps,
                flagged=row.flagged,
            )
        )
    return found


def _stage_seconds(session: Session, job_ids: Sequence[str]) -> dict[str, dict[Stage, float]]:
    query = select(
        StageRunRow.job_id, StageRunRow.stage, StageRunRow.started_at, StageRunRow.finished_at
    ).where(StageRunRow.job_id.in_(job_ids), StageRunRow.outcome == "succeeded")
    spent: dict[str, dict[Stage, float]] = defaultdict(dict)
    for job_id, stage, started_at, finished_at in session.execute(query):
        if finished_at:
            seconds = (finished_at - started_at).total_seconds()
            spent[job_id][Stage(stage)] = spent[job_id].get(Stage(stage), 0.0) + seconds
    return spent


def _record(job: JobRow, images: list[ImageRecord], seconds: dict[Stage, float]) -> JobRecord:
    return JobRecord(
        id=job.id,
        api_key_id=job.api_key_id,
        state=JobState(job.state),
        stage=Stage(job.stage),
        model=job.model,
        params=job.params,
        priority=job.priority,
        door=job.door,
        batch_id=job.batch_id,
        metadata=job.labels,
        cache=CacheOutcome(job.cache),
        work_id=job.leader_id or job.id,
        attempt=job.attempt,
        images=tuple(images),
        stage_seconds=dict(seconds),
        queue_position=None,
        deadline_at=job.deadline_at,
        notes=tuple(job.notes),
        error_code=job.error_code,
        error_message=job.error_message,
        error_field=job.error_field,
        webhook=job.webhook,
        created_at=job.created_at,
        started_at=job.started_at,
        completed_at=job.completed_at,
    )
