"""A worker that serves the next stage too goes on with the job, in one transaction."""

import pytest

from myriad.claimant import Claimant
from myriad.db.cancel import cancel_job
from myriad.db.claim import claim, renew
from myriad.db.commit import finish
from myriad.db.database import Database
from myriad.db.intake import submit
from myriad.db.jobs import find_job
from myriad.db.keep import advance_and_keep
from myriad.db.tables import StageRunRow
from myriad.errors import LeaseLost
from myriad.job import JobState, Stage
from tests.db.steps import event_kinds, has_due, job_row, picture, take
from tests.submissions import make_submission

ALL = Claimant("all@host.1.aa", "all", "cpu", tuple(Stage), ("*",))
TEXT = Claimant("text@host.1.aa", "text", "cpu", (Stage.ENCODE,), ("*",))


def outcomes(db: Database, job_id: str) -> list[tuple[str, int, str]]:
    with db.read() as session:
        runs = session.query(StageRunRow).filter_by(job_id=job_id).order_by(StageRunRow.attempt)
        return [(run.stage, run.attempt, run.outcome) for run in runs]


def test_the_job_stays_to_its_end(db: Database) -> None:
    job_id = submit(db, make_submission()).job_id
    encode = take(db, job_id, Stage.ENCODE, ALL)
    denoise = advance_and_keep(db, encode, "embeds", ALL, 60)
    assert denoise is not None
    assert (denoise.stage, denoise.attempt, denoise.tries) == (Stage.DENOISE, 2, 1)
    assert denoise.artifact_key == "embeds"
    assert not has_due(db, Stage.DENOISE)
    assert claim(db, job_id, Stage.DENOISE, ALL, 60) is None
    assert renew(db, [encode], 60) == set()
    assert renew(db, [denoise], 60) == {job_id}
    decode = advance_and_keep(db, denoise, "latents", ALL, 60)
    assert decode is not None
    assert finish(db, decode, [picture()])
    assert find_job(db, job_id, scope="").state is JobState.SUCCEEDED
    assert outcomes(db, job_id) == [
        ("encode", 1, "succeeded"),
        ("denoise", 2, "succeeded"),
        ("decode", 3, "succeeded"),
    ]
    assert event_kinds(db, job_id) == ["start", "output", "completed"]


def test_it_leaves_a_worker_that_does_not_serve_its_next_stage(db: Database) -> None:
    job_id = submit(db, make_submission()).job_id
    assert advance_and_keep(db, take(db, job_id, Stage.ENCODE, TEXT), "embeds", TEXT, 60) is None
    assert has_due(db, Stage.DENOISE)
    assert take(db, job_id, Stage.DENOISE, ALL).artifact_key == "embeds"


def test_a_more_urgent_job_comes_between(db: Database) -> None:
    job_id = submit(db, make_submission("a")).job_id
    lease = take(db, job_id, Stage.ENCODE, ALL)
    equal = submit(db, make_submission("b")).job_id
    denoise = advance_and_keep(db, lease, "embeds", ALL, 60)
    assert denoise is not None
    urgent = submit(db, make_submission("c", priority=1)).job_id
    assert advance_and_keep(db, denoise, "latents", ALL, 60) is None
    assert has_due(db, Stage.DECODE)
    assert take(db, urgent, Stage.ENCODE, ALL).job_id == urgent
    assert take(db, equal, Stage.ENCODE, ALL).job_id == equal


@pytest.mark.parametrize("by", [ALL, TEXT], ids=["serves", "does not serve"])
def test_a_zombie_neither_moves_nor_keeps_it(db: Database, by: Claimant) -> None:
    job_id = submit(db, make_submission()).job_id
    lease = take(db, job_id, Stage.ENCODE, by)
    cancel_job(db, job_id, scope="")
    with pytest.raises(LeaseLost):
        advance_and_keep(db, lease, "embeds", by, 60)
    row = job_row(db, job_id)
    assert (row.stage, row.attempt, row.artifact_keys) == ("encode", 1, {})
