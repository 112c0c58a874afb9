"""Going on with a job: its next stage by the worker that has just done the last one."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy.orm import Session

from myriad import clock
from myriad.claimant import Claimant
from myriad.db.claim import lease_of, stage_run
from myriad.db.commit import advance, move_on
from myriad.db.database import Database
from myriad.db.tables import JobRow
from myriad.db.urgent import most_urgent
from myriad.errors import LeaseLost
from myriad.lease import Lease


def advance_and_keep(
    db: Database,
    lease: Lease,
    artifact_key: str,
    by: Claimant,
    lease_s: float,
    notes: Sequence[str] = (),
) -> Lease | None:
    """`advance` and `claim` in one transaction: the lease of the next stage.

    None: the job is due for whoever takes it, because `by` does not serve its next
    stage or something more urgent waits for `by`. Raises LeaseLost.
    """
    following = lease.stage.next
    if following is None or following not in by.stages:
        if not advance(db, lease, artifact_key, notes):
            raise LeaseLost("another attempt has the job")
        return None
    with db.write() as session:
        job = move_on(session, lease, following, artifact_key, notes)
        if job is None:
            raise LeaseLost("another attempt has the job")
        if most_urgent(session, by, above=job.priority):
            job.lease_owner = job.lease_until = None
            job.dispatch_due = clock.now()
            return None
        _begin(session, job, by, lease_s)
    return replace(lease_of(job, by), held_since=lease.held_since)


def _begin(session: Session, job: JobRow, by: Claimant, lease_s: float) -> None:
    job.attempt, job.tries = job.attempt + 1, 1
    job.lease_until = clock.after(lease_s)
    session.add(stage_run(job, by, clock.now()))
    session.flush()
    session.expunge(job)
