"""From submission to row: idempotency, result cache, single flight, insert; one transaction."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from myriad import clock
from myriad.db import outcome
from myriad.db.admission import Limit
from myriad.db.database import Database
from myriad.db.outbox import record_event
from myriad.db.tables import LIVE, IdempotencyKeyRow, ImageRow, JobRow
from myriad.errors import Conflict, IdempotencyMismatch
from myriad.job import CacheOutcome, EventKind, JobState, Stage
from myriad.submission import Submission

_RACES = 5


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
) -> Intake:
    """Make the submission durable and say which job answers it.

    Two identical submissions at once meet on a unique key; the loser looks
    again and joins. `limit` is asked of what needs a run of its own. Raises
    IdempotencyMismatch, RateLimited and DatabaseUnavailable.
    """
    ttl = timedelta(seconds=idempotency_ttl_s)
    for _ in range(_RACES):
        try:
            with db.write() as session:
                return _submit(session, submission, ttl, limit)
        except IntegrityError:
            continue
    raise Conflict("too many identical requests at this moment; try again")


def _submit(
    session: Session, submission: Submission, ttl: timedelta, limit: Limit | None
) -> Intake:
    now = clock.now()
    if replay := _replay(session, submission, now):
        return Intake(replay, is_replay=True)
    job = _new_row(submission, now)
    if not (submission.use_cache and _spare(session, submission, job, now)):
        if limit is not None:
            limit.check(session, submission.priority)
        job.flight_key = submission.flight_key if _is_shareable(submission) else None
        session.add(job)
        session.flush()
    if submission.idempotency_key:
        session.add(_binding(submission, job.id, now, ttl))
    return Intake(job.id)


def _is_shareable(submission: Submission) -> bool:
    """Whether its run may be one for several: what has a deadline may have to end alone."""
    return submission.use_cache and submission.deadline_s is None


def _spare(session: Session, submission: Submission, job: JobRow, now: datetime) -> bool:
    """Answer the job without a run of its own, from the cache or by joining one in flight."""
    source = _cached(session, submission)
    may_join = source is None and _is_shareable(submission)
    leader = _leader(session, submission) if may_join else None
    if source is None and leader is None:
        # A run that was just being finished held us up, and now it has an answer.
        source = _cached(session, submission)
    if source:
        _answer_from(session, job, source, now)
    elif leader:
        _join(session, job, leader, now)
    return bool(source or leader)


def _replay(session: Session, submission: Submission, now: datetime) -> str | None:
    if not submission.idempotency_key:
        return None
    bound = session.get(IdempotencyKeyRow, (submission.scope, submission.idempotency_key))
    if bound is None:
        return None
    if bound.expires_at <= now:
        session.delete(bound)
        session.flush()
        return None
    if bound.request_hash != submission.request_hash:
        raise IdempotencyMismatch(
            "this Idempotency-Key was used with another body", field="Idempotency-Key"
        )
    return bound.job_id


def _same_picture(submission: Submission) -> ColumnElement[bool]:
    keys = submission.keys
    if submission.seed_given:
        return JobRow.exact_key == keys.exact
    return JobRow.any_seed_key == keys.any_seed


def _cached(session: Session, submission: Submission) -> JobRow | None:
    query = (
        select(JobRow)
        .where(_same_picture(submission), JobRow.state == JobState.SUCCEEDED.value)
        .order_by(JobRow.completed_at.desc())
        .limit(1)
    )
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


def _binding(
    submission: Submission, job_id: str, now: datetime, ttl: timedelta
) -> IdempotencyKeyRow:
    return IdempotencyKeyRow(
        scope=submission.scope,
        key=submission.idempotency_key,
        request_hash=submission.request_hash,
        job_id=job_id,
        created_at=now,
        expires_at=now + ttl,
    )
