"""`Prefer: wait`: how the header is read, and that waiting never starves others."""

from dataclasses import replace
from threading import Event, Thread

import pytest

from myriad import clock
from myriad.job import CacheOutcome, JobState, Stage
from myriad.record import JobRecord
from web.api.prefer import wait_seconds
from web.wait import WaitingRoom

JOB = JobRecord(
    id="0" * 32,
    api_key_id=None,
    state=JobState.QUEUED,
    stage=Stage.ENCODE,
    model="tiny",
    params={},
    priority=0,
    metadata={},
    cache=CacheOutcome.MISS,
    work_id="0" * 32,
    attempt=0,
    images=(),
    stage_seconds={},
    queue_position=0,
    deadline_at=None,
    notes=(),
    error_code=None,
    error_message=None,
    error_field=None,
    webhook=None,
    created_at=clock.now(),
    started_at=None,
    completed_at=None,
)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0),
        ("", 0),
        ("respond-async", 0),
        ("wait", 60),
        ("Wait", 60),
        ("wait=5", 5),
        ('wait="5"', 5),
        ("respond-async, wait=5; x=y", 5),
        ("wait=0", 0),
        ("wait=999999", 60),
        ("wait=-1", 0),
        ("wait=x", 0),
        ("wait=٥", 0),
        ("waiting=5", 0),
    ],
)
def test_header(header: str | None, seconds: float) -> None:
    assert wait_seconds(header, most=60) == seconds


def test_waits_until_the_job_is_final() -> None:
    states = iter([JobState.QUEUED, JobState.RUNNING, JobState.SUCCEEDED])
    found = WaitingRoom(threads=2).wait(lambda: replace(JOB, state=next(states)), 60)
    assert found.state is JobState.SUCCEEDED


def test_answers_at_once_when_every_seat_is_taken() -> None:
    room, seated, release = WaitingRoom(threads=2), Event(), Event()

    def read_slowly() -> JobRecord:
        seated.set()
        release.wait(10)
        return replace(JOB, state=JobState.SUCCEEDED)

    waiter = Thread(target=room.wait, args=(read_slowly, 60))
    waiter.start()
    assert seated.wait(10)
    assert room.wait(lambda: JOB, 60).state is JobState.QUEUED
    release.set()
    waiter.join()
    final = replace(JOB, state=JobState.FAILED)
    assert room.wait(lambda: final, 60) is final
