"""Ending a stage: every verb names the lease's attempt, so a zombie changes nothing."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from myriad import clock
from myriad.db import outcome
from myriad.db.database import Database
from myriad.db.memory import leave_to_others
from myriad.db.tables import ImageRow, JobRow, StageRunRow
from myriad.errors import MyriadError, OutOfMemory
from myriad.job import JobState, Stage
from myriad.lease import Lease

# Built once: SQLAlchemy takes longer over building them than SQLite over running them.
_HELD = (
    select(JobRow)
    .where(
        JobRow.id == bindparam("job_id"),
        JobRow.attempt == bindparam("attempt"),
        JobRow.stage == bindparam("stage"),
        JobRow.state == JobState.RUNNING.value,
        JobRow.lease_owner == bindparam("owner"),
    )
    .with_for_update()
)
_CLOSE_RUN = (
    update(StageRunRow)
    .where(StageRunRow.job_id == bindparam("job"), StageRunRow.attempt == bindparam("run"))
    .values(finished_at=bindparam("at"), outcome=bindparam("how"))
    .execution_options(synchronize_session=False)
)

LONGEST_PAUSE_S = 60.0
MOST_NOTES = 20
NOTE_CHARS = 200


@dataclass(frozen=True)
class RetryRule:
    """How often one stage may be tried, and the pause before each further try (seconds)."""

    max_tries: int = 3
    delay_s: float = 1.0


def advance(db: Database, lease: Lease, artifact_key: str, notes: Sequence[str] = ()) -> bool:
    """Hand the job to its next stage. False: the lease was lost and nothing changed."""
    following = lease.stage.next
    if following is None:
        raise ValueError(f"{lease.stage} is the last stage; use `finish`")
    with db.write() as session:
        job = move_on(session, lease, following, artifact_key, notes)
        if job is None:
            return False
        _let_go(job, clock.now())
        return True


def finish(
    db: Database, lease: Lease, images: Sequence[ImageRow], notes: Sequence[str] = ()
) -> list[str] | None:
    """End the job with its pictures. None: the lease was lost and nothing changed.

    Returns the keys of the artifacts that nobody needs any more.
    """
    with db.write() as session:
        job = _held(session, lease, notes)
        if job is None:
            return None
        _close_run(session, lease, "succeeded")
        outcome.succeed(session, job, images, clock.now())
        return list(job.artifact_keys.values())


def give_up(
    db: Database,
    lease: Lease,
    error: MyriadError,
    rule: RetryRule,
    *,
    notes: Sequence[str] = (),
    others: Collection[str] = (),
) -> bool:
    """Keep the error; try the stage again later, or fail the job if that cannot help.

    `others` are live pools that could do the stage too: they are asked before a
    second try where the memory did not suffice.
    """
    with db.write() as session:
        job = _held(session, lease, notes)
        if job is None:
            return False
        _close_run(session, lease, error.code)
        if isinstance(error, OutOfMemory) and others:
            pool = session.get_one(StageRunRow, (lease.job_id, lease.attempt)).pool
            _note(job, lease, [leave_to_others(session, job, error, pool, others)])
        else:
            retry_or_fail(session, job, error, rule)
        return True


def hand_back(
    db: Database,
    lease: Lease,
    *,
    delay_s: float = 0.0,
    how: str = "handed_back",
    error: MyriadError | None = None,
    notes: Sequence[str] = (),
) -> bool:
    """Return an unfinished stage that was nobody's fault: a shutdown, a store that is away.

    It is due again after `delay_s`, and the try is not counted. `how` is the
    outcome of the stage run; the job keeps `error` until its next success.
    """
    with db.write() as session:
        job = _held(session, lease, notes)
        if job is None:
            return False
        job.tries -= 1
        if error is not None:
            outcome.keep_error(job, error)
        _let_go(job, clock.after(delay_s))
        _close_run(session, lease, how)
        return True


def rewind(db: Database, lease: Lease, *, delay_s: float = 0.0) -> bool:
    """The stage's input is gone: do the stage that makes it again, however often it takes.

    The pause grows with every rewind: where workers cannot read each other's
    artifacts, nothing is gained by turning in circles fast.
    """
    with db.write() as session:
        job = _held(session, lease)
        if job is None:
            return False
        making = lease.stage.previous or Stage.ENCODE
        job.stage, job.tries, job.rewinds = making.value, 0, job.rewinds + 1
        job.avoid_pool = None
        job.artifact_keys = {k: v for k, v in job.artifact_keys.items() if k != making.value}
        pause_s = min(delay_s * (job.rewinds - 1), LONGEST_PAUSE_S)
        _let_go(job, clock.after(pause_s))
        _close_run(session, lease, "rewound")
        return True


def move_on(
    session: Session, lease: Lease, following: Stage, artifact_key: str, notes: Sequence[str]
) -> JobRow | None:
    """The held job, now at its next stage and still held; None if the lease is lost."""
    job = _held(session, lease, notes)
    if job is None:
        return None
    job.stage, job.tries, job.avoid_pool = following.value, 0, None
    outcome.keep_error(job, None)
    job.artifact_keys = {**job.artifact_keys, lease.stage.value: artifact_key}
    _close_run(session, lease, "succeeded")
    return job


def retry_or_fail(session: Session, job: JobRow, error: MyriadError, rule: RetryRule) -> None:
    """Queue the job's stage again while tries are left, else end it with the error."""
    if error.is_retryable and job.tries < rule.max_tries:
        outcome.keep_error(job, error)
        job.state = JobState.QUEUED.value
        _let_go(job, clock.after(rule.delay_s * job.tries))
    else:
        outcome.fail(session, job, error, clock.now())


def _held(session: Session, lease: Lease, notes: Sequence[str] = ()) -> JobRow | None:
    """The job, locked, with `notes` put on it; None if the lease is lost."""
    held = {
        "job_id": lease.job_id,
        "attempt": lease.attempt,
        "stage": lease.stage.value,
        "owner": lease.owner,
    }
    job = session.scalar(_HELD, held)
    if job is not None:
        _note(job, lease, notes)
    return job


def _note(job: JobRow, lease: Lease, notes: Sequence[str]) -> None:
    if notes:
        told = [f"{lease.stage} {lease.attempt}: {text}"[:NOTE_CHARS] for text in notes]
        job.notes = [*job.notes, *told][-MOST_NOTES:]


def _let_go(job: JobRow, due: datetime) -> None:
    job.lease_owner = job.lease_until = None
    job.dispatch_due = due


def _close_run(session: Session, lease: Lease, how: str) -> None:
    closed = {"job": lease.job_id, "run": lease.attempt, "at": clock.now(), "how": how}
    session.execute(_CLOSE_RUN, closed)
