"""Taking a stage of a job, and keeping it: compare-and-set with a fencing token."""

from collections.abc import Collection
from datetime import datetime, timedelta
from functools import lru_cache

from pydantic import ValidationError
from sqlalchemy import ColumnElement, and_, bindparam, or_, select, tuple_, update
from sqlalchemy.orm import Session, aliased
from sqlalchemy.sql.dml import ReturningUpdate

from myriad import clock
from myriad.claimant import Claimant
from myriad.db import outcome
from myriad.db.database import Database
from myriad.db.resident_first import resident_first
from myriad.db.tables import LIVE, JobRow, StageRunRow
from myriad.db.urgent import Urgent, is_pausing, is_welcome, most_urgent
from myriad.errors import DeviceLost, UnreadableJob, WorkerLost
from myriad.job import JobState, Stage
from myriad.lease import Lease
from myriad.params import GenerationParams

_SUSPICIOUS = (WorkerLost.code, DeviceLost.code)
_SUSPECT_PAUSE = timedelta(seconds=0.5)
_Held = aliased(JobRow)  # made once: SQLAlchemy takes a millisecond over it


def claim(
    db: Database,
    job_id: str,
    stage: Stage,
    by: Claimant,
    lease_s: float,
    held_models: Collection[str] = (),
) -> Lease | None:
    """Take the stage if it is still to be done and nobody holds it, else None.

    A hint is only a hint: if a job of higher priority waits for the same worker, or
    an equal one of `held_models`, that one is taken in its stead, and the lease says
    which. None means a stale or duplicate hint: acknowledge and forget. A job whose last
    worker died, or lost its device, is a suspect, and a worker holds one suspect at a
    time: so a prompt that kills workers cannot use up the tries of its neighbours.
    """
    now = clock.now()
    until = now + timedelta(seconds=lease_s)
    with db.write() as session:
        first = _goes_first(session, job_id, stage, by, held_models)
        job = _overtake(session, first, job_id, by, until) if first else None
        job = job or _take(session, job_id, stage, by, until)
        if job is None:
            _put_off_suspect(session, job_id, now)
            return None
        session.add(stage_run(job, by, now))
        if job.started_at is None:
            outcome.start(session, job, now)
        session.flush()
        session.expunge(job)
    try:
        return lease_of(job, by)
    except ValidationError:
        _fail_unreadable(db, job.id)
        return None


def renew(db: Database, leases: Collection[Lease], lease_s: float) -> set[str]:
    """Extend these leases; returns the job ids still held. The others are lost for good."""
    if not leases:
        return set()
    held = tuple_(JobRow.id, JobRow.attempt).in_([(item.job_id, item.attempt) for item in leases])
    # Told alone too: SQLite takes no index for several columns at once.
    ids = JobRow.id.in_([item.job_id for item in leases])
    extended = (
        update(JobRow)
        .where(ids, held, JobRow.state == JobState.RUNNING.value, JobRow.lease_owner.is_not(None))
        .values(lease_until=clock.after(lease_s))
        .returning(JobRow.id)
        .execution_options(synchronize_session=False)
    )
    with db.write() as session:
        return set(session.scalars(extended))


def _goes_first(
    session: Session, named_id: str, stage: Stage, by: Claimant, held_models: Collection[str]
) -> Urgent | None:
    """The job that `by` should take before the named one, if any."""
    if not by.stages:
        return None
    urgent = most_urgent(session, by, above=named_id)
    return urgent or resident_first(session, by, named_id, stage, held_models)


def _overtake(
    session: Session, first: Urgent, named_id: str, by: Claimant, until: datetime
) -> JobRow | None:
    """Take that job; the named one is then due again."""
    job = _take(session, first.job_id, first.stage, by, until)
    if job is not None:
        pausing = is_pausing(clock.now())
        waits = and_(JobRow.state.in_(LIVE), JobRow.lease_until.is_(None), ~pausing)
        session.execute(
            update(JobRow)
            .where(JobRow.id == named_id, waits)
            .values(dispatch_due=clock.now())
            .execution_options(synchronize_session=False)
        )
    return job


def _take(
    session: Session, job_id: str, stage: Stage, by: Claimant, until: datetime
) -> JobRow | None:
    wanted = {"job_id": job_id, "at": stage.value, "until": until}
    return session.scalar(_taking(by), wanted)


@lru_cache(maxsize=64)
def _taking(by: Claimant) -> ReturningUpdate[JobRow]:
    """Built once a worker: SQLAlchemy takes longer over building it than SQLite over running it."""
    is_suspect = JobRow.error_code.in_(_SUSPICIOUS)
    return (
        update(JobRow)
        .where(
            JobRow.id == bindparam("job_id"),
            JobRow.stage == bindparam("at"),
            JobRow.state.in_(LIVE),
            JobRow.leader_id.is_(None),
            # A lease that ran out is the janitor's to end: it counts the try.
            JobRow.lease_until.is_(None),
            or_(is_suspect.is_not(True), ~_holds_suspect(by)),
            is_welcome(by.pool),
        )
        .values(
            state=JobState.RUNNING.value,
            attempt=JobRow.attempt + 1,
            tries=JobRow.tries + 1,
            lease_owner=by.name,
            lease_until=bindparam("until"),
        )
        .returning(JobRow)
        .execution_options(synchronize_session=False)
    )


def _fail_unreadable(db: Database, job_id: str) -> None:
    """Parameters that an older release took and this one does not: no retry can help."""
    error = UnreadableJob("its parameters cannot be read by this release; ask for it anew")
    with db.write() as session:
        job = session.get_one(JobRow, job_id, with_for_update=True)
        if not JobState(job.state).is_final:
            outcome.fail(session, job, error, clock.now())


def _holds_suspect(by: Claimant) -> ColumnElement[bool]:
    return (
        select(_Held.id)
        .where(
            _Held.lease_owner == by.name,
            _Held.state == JobState.RUNNING.value,
            _Held.error_code.in_(_SUSPICIOUS),
        )
        .exists()
    )


def _put_off_suspect(session: Session, job_id: str, now: datetime) -> None:
    """Its hint is spent though its turn has not come: let another come soon."""
    session.execute(
        update(JobRow)
        .where(
            JobRow.id == job_id,
            JobRow.lease_until.is_(None),
            JobRow.error_code.in_(_SUSPICIOUS),
        )
        .values(dispatch_due=now + _SUSPECT_PAUSE)
    )


def stage_run(job: JobRow, by: Claimant, now: datetime) -> StageRunRow:
    """The record of the attempt that `by` begins now."""
    return StageRunRow(
        job_id=job.id,
        attempt=job.attempt,
        stage=job.stage,
        model=job.model,
        pool=by.pool,
        worker=by.name,
        device=by.device,
        started_at=now,
        outcome="running",
    )


def lease_of(job: JobRow, by: Claimant) -> Lease:
    """What the worker that holds the job knows of it. Raises ValidationError."""
    before = Stage(job.stage).previous
    return Lease(
        job_id=job.id,
        stage=Stage(job.stage),
        attempt=job.attempt,
        tries=job.tries,
        rewinds=job.rewinds,
        model=job.model,
        params=GenerationParams.from_json(job.params),
        artifact_key=job.artifact_keys.get(before.value) if before else None,
        owner=by.name,
        created_at=job.created_at,
        metadata=job.labels,
        deadline_at=job.deadline_at,
        traceparent=job.traceparent,
    )
