"""Deleting jobs: the rows, and the names of what they leave behind outside SQL."""

import json
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Text, cast, delete, func, select, union, update
from sqlalchemy.orm import Session

from myriad import clock
from myriad.artifact import checkpoint_of
from myriad.db.batch_end import end_batch
from myriad.db.cancel import hand_over
from myriad.db.database import Database
from myriad.db.jobs import visible
from myriad.db.tables import (
    LIVE,
    EventRow,
    IdempotencyKeyRow,
    ImageRow,
    InputRow,
    JobRow,
    StageRunRow,
    WebhookDeliveryRow,
)
from myriad.errors import NotFound

_DIGEST = re.compile('"([0-9a-f]{64})"')
_ROWS_AT_ONCE = 500


@dataclass(frozen=True)
class Remains:
    """What deleted jobs had outside SQL and nobody else has: stored files, artifacts, signals."""

    job_ids: tuple[str, ...]
    files: tuple[str, ...]
    artifacts: tuple[str, ...]


def delete_job(db: Database, job_id: str, *, scope: str | None) -> Remains:
    """Delete the job, whatever its state, and the inputs that no other job of its caller names.

    If others wait for its run, the oldest of them takes it over. Raises NotFound if
    it is not the caller's.
    """
    query = select(JobRow).where(JobRow.id == job_id, visible(scope)).with_for_update()
    with db.write() as session:
        job = session.scalar(query)
        if job is None:
            raise NotFound(f"no job {job_id}")
        if job.state in LIVE:
            hand_over(session, job)
        owner, digests = job.api_key_id, _DIGEST.findall(json.dumps(job.params))
        batch_id = job.batch_id
        remains = remove_jobs(session, [job])
        if batch_id is not None:
            end_batch(session, batch_id, clock.now())
    _forget_inputs(db, owner or "", digests)
    return remains


def remove_jobs(session: Session, jobs: Sequence[JobRow]) -> Remains:
    """Delete these rows, which the caller has locked, with all that hangs on them.

    A stored file is free if no other job has it. That cannot change afterwards: its key
    names the run that made it (docs/decisions/0018), and whoever copies it to another job
    first locks one that has it.
    """
    ids = [job.id for job in jobs]
    files, artifacts = _files(session, ids), _artifacts(session, jobs)
    session.flush()
    session.execute(update(JobRow).where(JobRow.leader_id.in_(ids)).values(leader_id=None))
    _keep_batch_deliveries(session, ids)
    for table in (ImageRow, EventRow, WebhookDeliveryRow, StageRunRow, IdempotencyKeyRow):
        session.execute(delete(table).where(table.job_id.in_(ids)))
    session.execute(delete(JobRow).where(JobRow.id.in_(ids)))
    return Remains(tuple(ids), tuple(sorted(files - stored_files(session, files))), artifacts)


def stored_files(session: Session, keys: Collection[str]) -> set[str]:
    """Those of `keys` that are some job's picture or thumbnail."""
    pictures = select(ImageRow.storage_key).where(ImageRow.storage_key.in_(keys))
    thumbnails = select(ImageRow.thumbnail_key).where(ImageRow.thumbnail_key.in_(keys))
    return {key for key in session.scalars(union(pictures, thumbnails)) if key}


def named_by_live_jobs(session: Session, scopes: Collection[str]) -> set[tuple[str, str]]:
    """Digest and scope of every input that live jobs of these callers name, in one reading."""
    if not scopes:
        return set()
    caller = func.coalesce(JobRow.api_key_id, "")
    query = select(caller, cast(JobRow.params, Text)).where(
        JobRow.state.in_(LIVE), caller.in_(scopes)
    )
    rows = session.execute(query.execution_options(yield_per=_ROWS_AT_ONCE))
    return {(digest, scope) for scope, params in rows for digest in _DIGEST.findall(params)}


def _is_named(session: Session, scope: str, digest: str) -> bool:
    """Whether a job of the caller names this input."""
    query = select(JobRow.id).where(visible(scope), cast(JobRow.params, Text).contains(digest))
    return session.scalar(query.limit(1)) is not None


def _files(session: Session, ids: Sequence[str]) -> set[str]:
    rows = session.execute(
        select(ImageRow.storage_key, ImageRow.thumbnail_key).where(ImageRow.job_id.in_(ids))
    )
    return {key for row in rows for key in row if key is not None}


def _artifacts(session: Session, jobs: Iterable[JobRow]) -> tuple[str, ...]:
    """Outputs of stages and checkpoints, but not those that a run taken over goes on from."""
    made = {key for job in jobs for key in job.artifact_keys.values()}
    if not made:
        return ()
    exact_keys = {job.exact_key for job in jobs}
    ids = [job.id for job in jobs]
    live = session.scalars(
        select(JobRow.artifact_keys).where(
            JobRow.exact_key.in_(exact_keys), JobRow.state.in_(LIVE), JobRow.id.not_in(ids)
        )
    )
    free = sorted(made - {key for keys in live for key in keys.values()})
    return (*free, *map(checkpoint_of, free))


def _keep_batch_deliveries(session: Session, ids: Sequence[str]) -> None:
    """What is owed of a batch is filed under one of its jobs: file it under another."""
    owed = select(WebhookDeliveryRow).where(
        WebhookDeliveryRow.job_id.in_(ids),
        WebhookDeliveryRow.batch_id.is_not(None),
    )
    pending = [each for each in session.scalars(owed) if each.state == "pending"]
    for delivery in pending:
        taken = select(WebhookDeliveryRow.job_id).where(WebhookDeliveryRow.kind == delivery.kind)
        heir = session.scalar(
            select(JobRow.id)
            .where(JobRow.batch_id == delivery.batch_id, JobRow.id.not_in([*ids]))
            .where(JobRow.id.not_in(taken))
            .limit(1)
            # Not one that is just being deleted as well.
            .with_for_update(read=True, key_share=True, skip_locked=True)
        )
        delivery.job_id = heir or delivery.job_id
    session.flush()


def _forget_inputs(db: Database, scope: str, digests: Iterable[str]) -> None:
    """Those that no job of the caller names any more; asked first without holding others up."""
    for digest in sorted(set(digests)):
        with db.read() as session:
            if _is_named(session, scope, digest):
                continue
        with db.write() as session:
            # Locked before the question: a job that is just being made locks it after its own row.
            row = session.get(InputRow, (scope, digest), with_for_update=True)
            if row is not None and not _is_named(session, scope, digest):
                session.delete(row)
