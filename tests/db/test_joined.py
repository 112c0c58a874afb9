"""However many jobs share a run, its start and its end are a handful of statements."""

from collections.abc import Callable

import pytest

from myriad.claimant import Claimant
from myriad.db.batch_intake import BatchSubmission, submit_batch
from myriad.db.batches import find_batch
from myriad.db.cancel import cancel_job
from myriad.db.commit import RetryRule, finish, give_up
from myriad.db.database import Database
from myriad.db.intake import submit
from myriad.db.jobs import find_job
from myriad.errors import PromptTooLong
from myriad.job import EventKind, JobState
from myriad.lease import Lease
from tests.db.statements import statements
from tests.db.steps import delivery_kinds, event_kinds, job_row, picture, run_to_decode
from tests.submissions import make_submission

HOOK = "https://example.com/hook"


def succeed(db: Database, lease: Lease) -> bool:
    return finish(db, lease, [picture()], notes=["a note"])


def fail(db: Database, lease: Lease) -> bool:
    error = PromptTooLong("too long", field="prompt")
    return give_up(db, lease, error, RetryRule(), notes=["a note"])


def said_for(
    db: Database, times: int, worker: Claimant, end: Callable[[Database, Lease], bool]
) -> list[str]:
    """What is said to the database for a run that so many have joined, from start to end."""
    asked = make_submission(f"shared by {times}", webhook=HOOK)
    leader, *_ = [submit(db, asked).job_id for _ in range(times + 1)]
    with statements(db) as said:
        assert end(db, run_to_decode(db, leader, worker))
    return [statement.split()[0] for statement, _ in said]


@pytest.mark.parametrize("end", [succeed, fail])
def test_as_many_statements_for_forty_as_for_two(
    db: Database, worker: Claimant, end: Callable[[Database, Lease], bool]
) -> None:
    assert said_for(db, 40, worker, end) == said_for(db, 2, worker, end)


@pytest.mark.parametrize("end", [succeed, fail])
def test_each_is_told_as_it_asked(
    db: Database, worker: Claimant, end: Callable[[Database, Lease], bool]
) -> None:
    leader = submit(db, make_submission()).job_id
    early = submit(db, make_submission(webhook=HOOK)).job_id
    gone = submit(db, make_submission(webhook=HOOK)).job_id
    cancel_job(db, gone, scope="")
    lease = run_to_decode(db, leader, worker)
    at_the_end = (EventKind.COMPLETED,)
    late = submit(db, make_submission(webhook=HOOK, webhook_events_filter=at_the_end)).job_id
    assert end(db, lease)
    output = ["output"] if end is succeed else []
    for job_id in (leader, early, late):
        assert event_kinds(db, job_id) == ["start", *output, "completed"]
        mine, its = job_row(db, job_id), job_row(db, leader)
        assert (mine.state, mine.notes, mine.completed_at) == (
            its.state,
            its.notes,
            its.completed_at,
        )
        assert (mine.error_code, mine.error_field) == (its.error_code, its.error_field)
        assert len(find_job(db, job_id, scope="").images) == len(output)
    assert job_row(db, early).started_at == job_row(db, leader).started_at
    assert job_row(db, late).started_at != job_row(db, leader).started_at
    assert delivery_kinds(db, leader) == []
    assert delivery_kinds(db, early) == event_kinds(db, early)
    assert delivery_kinds(db, late) == ["completed"]
    assert (event_kinds(db, gone), delivery_kinds(db, gone)) == (["completed"], ["completed"])
    assert find_job(db, gone, scope="").state is JobState.CANCELED


def test_a_batch_of_those_who_joined_ends_with_the_run(db: Database, worker: Claimant) -> None:
    leader = submit(db, make_submission()).job_id
    batch_id = submit_batch(db, BatchSubmission([make_submission()] * 3)).batch_id
    assert finish(db, run_to_decode(db, leader, worker), [picture()])
    batch = find_batch(db, batch_id, scope="")
    assert (batch.counts[JobState.SUCCEEDED], batch.total) == (3, 3)
    assert batch.completed_at is not None
