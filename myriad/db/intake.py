"""From submission to row: idempotency, result cache, single flight, insert; one transaction."""

import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from myriad import clock
from myriad.db import outcome
from myriad.db.admission import Limit
from myriad.db.database import Database
from myriad.db.idempotency import bind, bound_job, unbind
from myriad.db.inputs import use_inputs
from myriad.db.outbox import record_event
from myriad.db.tables import LIVE, IdempotencyKeyRow, ImageRow, JobRow
from myriad.db.usage import UNLIMITED, Allowance, charge
from myriad.errors import Conflict
from myriad.job import CacheOutcome, EventKind, JobState, Stage
from myriad.submission import Submission

_RACES = 5
_Made = TypeVar("_Made")


@dataclass(frozen=True)
class Intake:
    """The job that answers a submission; `is_replay` if an idempotency key already had it."""

    job_id: str
    is_replay: bool = False


def submit(
    db: Database,
    submission: Submission,
    *,
    idempotency_ttl_s: float = 86_400,
    limit: Limit | None = None,
    allowance: Allowance = UNLIMITED,
) -> Intake:
    """Make the submission durable and say which job answers it.

    Two identical submissions at once meet on a unique key; the loser looks
    again and joins. `limit` and `allowance` are asked of what needs a run of its
    own. Raises IdempotencyMismatch, Conflict, RateLimited, Overloaded and
    DatabaseUnavailable.
    """
    ttl = timedelta(seconds=idempotency_ttl_s)
    return until_alone(db, lambda session: _submit(session, submission, ttl, limit, allowance))


def until_alone(db: Database, make: Callable[[Session], _Made]) -> _Made:
    """Run `make` in a transaction, again if another made the same meanwhile. Raises Conflict."""
    for _ in range(_RACES):
        try:
            with db.write() as session:
                return make(session)
        except IntegrityError:
            continue
    raise Conflict("too many identical requests at this moment; try again")


def _submit(
    session: Session,
    submission: Submission,
    ttl: timedelta,
    limit: Limit | None,
    allowance: Allowance,
) -> Intake:
    now = clock.now()
    if replay := replay_of(session, submission):
        return Intake(replay, is_replay=True)
    job = add_job(session, submission, limit, now)
    session.flush()
    use_inputs(session, submission.params.input_digests, scope=submission.scope)
    if submission.idempotency_key:
        if submission.rebinds_key:
            unbind(session, scope=submission.scope, key=submission.idempotency_key)
        bind(session, binding(submission, job.id, now, ttl), now)
    charge(session, [job], submission.scope, allowance)
    return Intake(job.id)


def add_job(
    session: Session,
    submission: Submission,
    limit: Limit | None,
    at: datetime,
    known: Collection[str] | None = None,
) -> JobRow:
    """The submission's new job, in the session though perhaps not yet in SQL.

    It is answered from the cache, joins a run in flight, or waits for one of its own.
    If `known` has no flight key of it there is nothing to answer it from, so nobody looks.
    """
    job = _new_row(submission, at)
    may_be_known = known is None or submission.flight_key in known
    if not (submission.use_cache and may_be_known and _spare(session, submission, job, at)):
        if limit is not None:
            limit.check(session, job)
        job.flight_key = submission.flight_key if _is_shareable(submission) else None
        session.add(job)
    return job


def _is_shareable(submission: Submission) -> bool:
    """Whether its run may be one for several: what has a deadline may have to end alone."""
    return submission.use_cache and submission.deadline_s is None


def _may_be_flagged(submission: Submission) -> bool:
    """Whether the run of another could end blank where one with a seed of its own would not."""
    return not submission.seed_given and submission.model.safety is not None


def _spare(session: Session, submission: Submission, job: JobRow, now: datetime) -> bool:
    """Answer the job without a run of its own, from the cache or by joining one in flight."""
    source = _cached(session, submission)
    may_join = source is None and _is_shareable(submission) and not _may_be_flagged(submission)
    leader = _leader(session, submission) if may_join else None
    if source is None and leader is None:
        # A run that was just being finished held us up, and now it has an answer.
        source = _cached(session, submission)
    if source:
        _answer_from(session, job, source, now)
    elif leader:
        _join(session, job, leader, now)
    return bool(source or leader)


def replay_of(session: Session, submission: Submission) -> str | None:
    """The job that the submission's idempotency key made before, if it did."""
    if not submission.idempotency_key or submission.rebinds_key:
        return None
    return bound_job(
        session,
        scope=submission.scope,
        key=submission.idempotency_key,
        request_hash=submission.request_hash,
    )


def _same_picture(submission: Submission) -> ColumnElement[bool]:
    keys = submission.keys
    if submission.seed_given:
        return JobRow.exact_key == keys.exact
    return JobRow.any_seed_key == keys.any_seed


def _cached(session: Session, submission: Submission) -> JobRow | None:
    query = (
        select(JobRow)
        .where(
            _same_picture(submission),
            JobRow.state == JobState.SUCCEEDED.value,
            # It is plain to us, not to PostgreSQL, which would begin with all live jobs.
            JobRow.completed_at.is_not(None),
        )
        .order_by(JobRow.completed_at.desc())
        .limit(1)
        # Whoever deletes it waits until its files have another job (docs/decisions/0018).
        .with_for_update(read=True, key_share=True)
    )
    if not submission.seed_given:
        # With another seed it may pass the safety checker.
        flagged = select(func.count()).where(ImageRow.job_id == JobRow.id, ImageRow.flagged)
        query = query.where(flagged.scalar_subquery() == 0)  # as EXISTS it may read all images
    return session.scalar(query)


def _leader(session: Session, submission: Submission) -> JobRow | None:
    query = (
        select(JobRow)
        .where(
            _same_picture(submission),
            JobRow.state.in_(LIVE),
            JobRow.leader_id.is_(None),
            JobRow.deadline_at.is_(None),
        )
        .order_by(JobRow.created_at)
        .limit(1)
        # Waits for a run that is just being finished; it then no longer matches.
        .with_for_update()
    )
    return session.scalar(query)


def _answer_from(session: Session, job: JobRow, source: JobRow, now: datetime) -> None:
    job.cache = CacheOutcome.HIT.value
    job.params = source.params
    job.exact_key = source.exact_key
    images = session.scalars(select(ImageRow).where(ImageRow.job_id == source.id)).all()
    session.add(job)
    session.flush()
    outcome.succeed(session, job, images, now)


def _join(session: Session, job: JobRow, leader: JobRow, now: datetime) -> None:
    job.cache = CacheOutcome.JOINED.value
    job.leader_id = leader.id
    job.params = leader.params
    job.exact_key = leader.exact_key
    leader.priority = max(leader.priority, job.priority)
    session.add(job)
    session.flush()
    if leader.started_at:
        job.state = JobState.RUNNING.value
        job.started_at = now
        record_event(session, job, EventKind.START, now)


def _new_row(submission: Submission, now: datetime) -> JobRow:
    keys = submission.keys
    return JobRow(
        id=secrets.token_hex(16),
        api_key_id=submission.api_key_id,
        door=submission.door,
        batch_id=submission.batch_id,
        traceparent=submission.traceparent,
        cost=submission.params.megapixel_steps,
        state=JobState.QUEUED.value,
        stage=Stage.ENCODE.value,
        model=submission.model.name,
        params=submission.params.to_json(),
        priority=submission.priority,
        labels=dict(submission.metadata),
        cache=CacheOutcome.MISS.value,
        exact_key=keys.exact,
        any_seed_key=keys.any_seed,
        dispatch_due=now,
        webhook=submission.webhook,
        webhook_events_filter=[kind.value for kind in submission.webhook_events_filter],
        attempt=0,
        tries=0,
        rewinds=0,
        artifact_keys={},
        deadline_at=_deadline(submission, now),
        notes=[],
        created_at=now,
    )


def _deadline(submission: Submission, now: datetime) -> datetime | None:
    seconds = submission.deadline_s
    return None if seconds is None else now + timedelta(seconds=seconds)


def binding(
    submission: Submission, job_id: str, now: datetime, ttl: timedelta
) -> IdempotencyKeyRow:
    """What leads from the submission's idempotency key to its job."""
    return IdempotencyKeyRow(
        scope=submission.scope,
        key=submission.idempotency_key,
        request_hash=submission.request_hash,
        job_id=job_id,
        created_at=now,
        expires_at=now + ttl,
    )
