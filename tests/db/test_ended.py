"""Counting what ended, on both databases: each thing in one span of time and in no other."""

from datetime import timedelta

from myriad import clock
from myriad.claimant import Claimant
from myriad.db.database import Database
from myriad.db.deliveries import settle_delivery, take_deliveries
from myriad.db.ended import ended_between
from myriad.db.figures import pending_deliveries, stage_figures
from myriad.db.intake import submit
from myriad.db.workers import live_workers, report_worker
from myriad.job import EventKind, Stage
from myriad.measured import Measured, Memory
from myriad.webhook import Receipt
from tests.db.steps import run_whole
from tests.submissions import make_submission

HOOK = "https://example.com/hook"


def test_each_end_is_in_one_span(db: Database, worker: Claimant) -> None:
    start = clock.now()
    submission = make_submission(
        webhook=HOOK, webhook_events_filter=(EventKind.COMPLETED,), door="openai"
    )
    run_whole(db, submit(db, submission).job_id, worker)
    (delivery,) = take_deliveries(db, room=lambda host: 1, limit=9, lease_s=60)
    settle_delivery(db, delivery, Receipt(204), lambda tries: None)
    end = clock.now()
    ended = ended_between(db, start, end, ["tiny"])
    (accepted,), (job,), (told,) = ended.accepted, ended.jobs, ended.deliveries
    assert (accepted.door, accepted.model) == ("openai", "tiny")
    assert (accepted.cache, accepted.count) == ("miss", 1)
    assert (job.state, job.model, job.door, job.error_code) == ("succeeded", "tiny", "openai", "")
    assert {run.stage: run.outcome for run in ended.stages} == dict.fromkeys(Stage, "succeeded")
    assert told.state == "delivered"
    took_s = (end - start).total_seconds()
    assert all(0 <= each.seconds <= took_s for each in (job, told, *ended.stages))
    after = ended_between(db, end, end + timedelta(hours=1), ["tiny"])
    assert not (after.accepted)
    assert not (after.jobs)
    assert not (after.stages)
    assert not (after.deliveries)


def test_a_job_that_joined_is_no_work_of_its_own(db: Database) -> None:
    for _ in range(3):
        submit(db, make_submission("the same"))
    (figure,) = stage_figures(db)
    assert (figure.stage, figure.waiting, figure.held) == (Stage.ENCODE, 1, 0)


def test_what_is_owed_and_how_late(db: Database, worker: Claimant) -> None:
    assert pending_deliveries(db).pending == 0
    submission = make_submission(webhook=HOOK, webhook_events_filter=(EventKind.COMPLETED,))
    run_whole(db, submit(db, submission).job_id, worker)
    fresh = pending_deliveries(db)
    assert (fresh.pending, fresh.retrying) == (1, 0)
    assert 0 < fresh.overdue_s <= fresh.oldest_s
    (delivery,) = take_deliveries(db, room=lambda host: 1, limit=9, lease_s=60)
    settle_delivery(db, delivery, Receipt(error="no answer"), lambda tries: timedelta(hours=1))
    failed = pending_deliveries(db)
    assert (failed.pending, failed.retrying, failed.overdue_s) == (1, 1, 0)
    assert failed.oldest_s > fresh.oldest_s


def test_what_a_worker_measured_comes_back(db: Database, worker: Claimant) -> None:
    measured = Measured(memory=Memory(process_bytes=7), rungs={"tile by tile": 1}, checkpoints=2)
    report_worker(db, worker, 4, (), measured)
    (found,) = live_workers(db, within_s=60)
    assert found.measured == measured
    report_worker(db, worker, 4, ())  # of a release that measures nothing
    assert live_workers(db, within_s=60)[0].measured == Measured()
