"""A deleted job leaves no row behind, and names exactly the bytes that nobody else has."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import select

from myriad import clock
from myriad.claimant import Claimant
from myriad.db.commit import advance, finish
from myriad.db.database import Database
from myriad.db.delete import delete_job
from myriad.db.inputs import find_inputs, keep_input
from myriad.db.intake import submit
from myriad.db.jobs import find_job
from myriad.db.keys import create_key
from myriad.db.tables import Base, EventRow, ImageRow, JobRow, StageRunRow, WebhookDeliveryRow
from myriad.errors import NotFound
from myriad.job import CacheOutcome, JobState, Stage
from tests.db.steps import count, delivery_kinds, job_row, picture, run_to_decode, run_whole, take
from tests.submissions import make_submission

IMAGE = "b" * 64


def rows_about(db: Database, text: str) -> list[str]:
    """Every row of every table in which the text stands."""
    with db.read() as session:
        return [
            f"{table.name}: {row}"
            for table in Base.metadata.sorted_tables
            for row in session.execute(select(table)).all()
            if text in str(row)
        ]


def test_nothing_is_left_of_it(db: Database, worker: Claimant) -> None:
    asked = make_submission(
        "canary-7f3a",
        idempotency_key="k",
        request_hash="h",
        webhook="https://example.com/canary-7f3a",
        metadata={"note": "canary-7f3a"},
    )
    job_id = submit(db, asked).job_id
    run_whole(db, job_id, worker)
    assert rows_about(db, "canary-7f3a")
    remains = delete_job(db, job_id, scope="")
    assert (remains.job_ids, remains.files) == ((job_id,), ("images/a.png",))
    assert rows_about(db, "canary-7f3a") == rows_about(db, job_id) == []
    assert not submit(db, asked).is_replay


def test_another_callers_job_is_not_there(db: Database) -> None:
    job_id = submit(db, make_submission()).job_id
    for scope, wanted in (("someone", job_id), ("", "0" * 32)):
        with pytest.raises(NotFound):
            delete_job(db, wanted, scope=scope)
    assert job_row(db, job_id).state == JobState.QUEUED


def test_a_worker_at_it_changes_nothing_any_more(db: Database, worker: Claimant) -> None:
    job_id = submit(db, make_submission()).job_id
    lease = run_to_decode(db, job_id, worker)
    remains = delete_job(db, job_id, scope="")
    assert not finish(db, lease, [picture()])
    assert {count(db, table) for table in (JobRow, ImageRow, EventRow, StageRunRow)} == {0}
    assert {"encode-out", "denoise-out", "encode-out-checkpoint"} <= set(remains.artifacts)


def test_who_joined_takes_the_run_over(db: Database, worker: Claimant) -> None:
    leader = submit(db, make_submission(seed=1)).job_id
    assert advance(db, take(db, leader, Stage.ENCODE, worker), "encode-out")
    joined = submit(db, make_submission(seed=1)).job_id
    remains = delete_job(db, leader, scope="")
    assert remains.artifacts == ()
    assert job_row(db, joined).artifact_keys == {"encode": "encode-out"}
    lease = take(db, joined, Stage.DENOISE, worker)
    assert lease.artifact_key == "encode-out"


def test_who_joined_or_was_answered_keeps_the_picture(db: Database, worker: Claimant) -> None:
    leader = submit(db, make_submission(seed=1)).job_id
    joined = submit(db, make_submission(seed=1)).job_id
    run_whole(db, leader, worker)
    hit = submit(db, make_submission(seed=1)).job_id
    assert delete_job(db, leader, scope="").files == ()
    for job_id in (joined, hit):
        assert len(find_job(db, job_id, scope="").images) == 1
    assert delete_job(db, joined, scope="").files == ()
    assert delete_job(db, hit, scope="").files == ("images/a.png",)


def test_a_hit_and_a_deletion_at_once(db: Database, worker: Claimant) -> None:
    """Either the hit came first and keeps the file, or it is a miss: never a picture without."""
    for seed in range(6):
        source = submit(db, make_submission(seed=seed)).job_id
        run_whole(db, source, worker)
        start = Barrier(2)

        def hit(seed: int = seed, start: Barrier = start) -> str:
            start.wait()
            return submit(db, make_submission(seed=seed)).job_id

        def drop(source: str = source, start: Barrier = start) -> tuple[str, ...]:
            start.wait()
            return delete_job(db, source, scope="").files

        with ThreadPoolExecutor(2) as threads:
            answer, dropped = threads.submit(hit), threads.submit(drop)
        record = find_job(db, answer.result(), scope="")
        is_hit = record.cache is CacheOutcome.HIT
        assert bool(record.images) == is_hit
        assert dropped.result() == (() if is_hit else ("images/a.png",))
        delete_job(db, record.id, scope="")


def test_an_input_goes_with_the_last_job_that_names_it(db: Database) -> None:
    scopes = {name: create_key(db, name)[0] for name in ("mine", "yours")}
    for scope in scopes.values():
        keep_input(db, scope=scope, digest=IMAGE, size_bytes=1, width=2, height=2)
    mine = [
        submit(db, make_submission(text, image=IMAGE, api_key_id=scopes["mine"])).job_id
        for text in ("one", "two")
    ]
    for job_id, left in zip(mine, (1, 0), strict=True):
        delete_job(db, job_id, scope=scopes["mine"])
        assert len(find_inputs(db, [IMAGE], scope=scopes["mine"])) == left
    assert find_inputs(db, [IMAGE], scope=scopes["yours"])


def test_what_is_owed_of_a_batch_is_filed_under_another_job(db: Database) -> None:
    first, second = (submit(db, make_submission(text, batch_id="b")).job_id for text in "ab")
    with db.write() as session:
        session.add(
            WebhookDeliveryRow(
                id="msg_1",
                job_id=first,
                kind="completed",
                sequence=1,
                batch_id="b",
                url="https://example.com",
                next_attempt_at=clock.now(),
                created_at=clock.now(),
            )
        )
    delete_job(db, first, scope="")
    assert delivery_kinds(db, second) == ["completed"]
    delete_job(db, second, scope="")
    assert count(db, WebhookDeliveryRow) == 0


def test_a_flagged_picture_answers_its_own_seed_alone(db: Database, worker: Claimant) -> None:
    job_id = submit(db, make_submission(seed=1)).job_id
    blank = picture()
    blank.flagged = True
    assert finish(db, run_to_decode(db, job_id, worker), [blank])
    again = find_job(db, submit(db, make_submission(seed=1)).job_id, scope="")
    assert (again.cache, again.images[0].flagged) == (CacheOutcome.HIT, True)
    assert find_job(db, submit(db, make_submission()).job_id, scope="").cache is CacheOutcome.MISS
