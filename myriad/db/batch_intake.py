"""From many submissions to one batch: all of them or none, in one transaction."""

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from sqlalchemy import Select, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from myriad import clock
from myriad.db.admission import Limit
from myriad.db.batch_end import end_batch
from myriad.db.database import Database
from myriad.db.idempotency import bind, find_replay
from myriad.db.inputs import use_inputs
from myriad.db.intake import add_job, binding, replay_of, until_alone
from myriad.db.tables import BatchRow, JobRow
from myriad.db.usage import UNLIMITED, Allowance, charge
from myriad.submission import Submission


@dataclass(frozen=True)
class BatchSubmission:
    """Checked requests of one caller, in their order, at least one.

    The idempotency key of the first is the batch's own; the others have none.
    """

    jobs: Sequence[Submission]
    metadata: Mapping[str, str] = field(default_factory=dict)
    webhook: str | None = None


@dataclass(frozen=True)
class BatchIntake:
    """The batch that answers; `is_replay` if an idempotency key already had it."""

    batch_id: str
    is_replay: bool = False


def submit_batch(
    db: Database,
    asked: BatchSubmission,
    *,
    idempotency_ttl_s: float = 86_400,
    limits: Sequence[Limit | None] | None = None,
    allowance: Allowance = UNLIMITED,
) -> BatchIntake:
    """Make the whole batch durable; `limits` has one for each job.

    Raises IdempotencyMismatch, Conflict, RateLimited, Overloaded and DatabaseUnavailable;
    then no job of it was made.
    """
    ttl = timedelta(seconds=idempotency_ttl_s)
    limits = limits or [None] * len(asked.jobs)
    return until_alone(db, lambda session: _submit(session, asked, limits, ttl, allowance))


def find_batch_replay(db: Database, *, scope: str, key: str, request_hash: str) -> str | None:
    """The batch that the caller's `key` made. Raises IdempotencyMismatch."""
    job_id = find_replay(db, scope=scope, key=key, request_hash=request_hash)
    if job_id is None:
        return None
    with db.read() as session:
        return session.scalar(select(JobRow.batch_id).where(JobRow.id == job_id))


def _submit(
    session: Session,
    asked: BatchSubmission,
    limits: Sequence[Limit | None],
    ttl: timedelta,
    allowance: Allowance,
) -> BatchIntake:
    first = asked.jobs[0]
    if replay := replay_of(session, first):
        return BatchIntake(session.get_one(JobRow, replay).batch_id or "", is_replay=True)
    batch_id, now = secrets.token_hex(16), clock.now()
    jobs = _add_jobs(session, asked.jobs, limits, batch_id)
    # After its jobs: while there is no row, a job that ends at once does not end the batch.
    session.add(_new_row(asked, batch_id, len(jobs)))
    session.flush()
    digests = {digest for each in asked.jobs for digest in each.params.input_digests}
    use_inputs(session, digests, scope=first.scope)
    if first.idempotency_key:
        bind(session, binding(first, jobs[0].id, now, ttl), now)
    end_batch(session, batch_id, now)
    charge(session, jobs, first.scope, allowance)
    return BatchIntake(batch_id)


def _add_jobs(
    session: Session,
    submissions: Sequence[Submission],
    limits: Sequence[Limit | None],
    batch_id: str,
) -> list[JobRow]:
    """One new job each, in the submissions' order, which their `created_at` keeps too."""
    now, known = clock.now(), _known_keys(session, submissions)
    jobs: dict[int, JobRow] = {}
    # Two batches with the same jobs lock them in the same order, whatever theirs is.
    for place, each in sorted(enumerate(submissions), key=lambda pair: pair[1].flight_key):
        at = now + timedelta(microseconds=place)
        job = add_job(session, replace(each, batch_id=batch_id), limits[place], at, known)
        known |= {job.exact_key, job.any_seed_key}
        jobs[place] = job
    return [jobs[place] for place in sorted(jobs)]


def _known_keys(session: Session, submissions: Sequence[Submission]) -> set[str]:
    """Flight keys that some job has. One that comes later is met on its unique key."""
    exact = {each.flight_key for each in submissions if each.seed_given}
    any_seed = {each.flight_key for each in submissions if not each.seed_given}
    return {
        *session.scalars(_known(JobRow.exact_key, exact)),
        *session.scalars(_known(JobRow.any_seed_key, any_seed)),
    }


def _known(column: InstrumentedAttribute[str], keys: Collection[str]) -> Select[str]:
    """Each once: of one that the cache often answers there are many."""
    return select(column).where(column.in_(keys)).distinct()


def _new_row(asked: BatchSubmission, batch_id: str, total: int) -> BatchRow:
    return BatchRow(
        id=batch_id,
        api_key_id=asked.jobs[0].api_key_id,
        total=total,
        labels=dict(asked.metadata),
        webhook=asked.webhook,
        created_at=clock.now(),
    )
