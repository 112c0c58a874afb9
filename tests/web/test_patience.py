"""A database that is away for a moment ends no answer that is held."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from myriad.db.jobs import list_jobs
from myriad.errors import DatabaseUnavailable
from myriad.farm import Farm
from myriad.job import JobState
from tests.web.drawing import finish_job
from web.app import FrontEnd
from web.auth import Caller
from web.doors.waiting import sit_out
from web.patience import PatientLook
from web.wait import WaitingRoom

JOB = {"a" * 32}


class Jobs:
    """None lives, as the database would say, if it is there; `now_s` is the time."""

    def __init__(self) -> None:
        self.is_away = False
        self.now_s = 0.0

    def __call__(self, job_ids: set[str]) -> set[str]:
        if self.is_away:
            raise DatabaseUnavailable("away")
        return set()

    def clock(self) -> float:
        return self.now_s


def test_whoever_waits_hears_nothing_of_a_moment_s_trouble() -> None:
    jobs = Jobs()
    look = PatientLook(jobs, patience_s=10, now=jobs.clock)
    for begin_s in (0.0, 100.0):
        jobs.is_away = True
        for jobs.now_s in (begin_s, begin_s + 9):
            assert look(JOB) == JOB
        jobs.is_away = False
        assert look(JOB) == set()


def test_whoever_waits_hears_of_trouble_that_lasts() -> None:
    jobs = Jobs()
    look = PatientLook(jobs, patience_s=10, now=jobs.clock)
    jobs.is_away = True
    assert look(JOB) == JOB
    jobs.now_s = 11.0
    with pytest.raises(DatabaseUnavailable):
        look(JOB)


def test_who_is_called_too_early_goes_on_waiting(
    app: FrontEnd, client: FlaskClient, farm: Farm
) -> None:
    job_id = client.post("/api/v1/jobs", json={"prompt": "a"}).json["id"]
    looks = 0

    def live(_: set[str]) -> set[str]:
        nonlocal looks
        looks += 1
        if looks == 2:
            finish_job(farm, job_id)
        return set()

    room = WaitingRoom(4, live, lambda: False)
    with app.test_request_context(), room.take_seat("") as seat:
        record = sit_out(seat, job_id, Caller(None), 60)
    room.close()
    assert record.state is JobState.SUCCEEDED


@contextmanager
def away(farm: Farm) -> Iterator[None]:
    """Nobody finds a job meanwhile."""
    _rename(farm, "jobs", "hidden")
    yield
    _rename(farm, "hidden", "jobs")


def _rename(farm: Farm, old: str, new: str) -> None:
    with farm.db.write() as session:
        session.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))


def test_a_stream_goes_on_when_the_database_is_back(client: FlaskClient, farm: Farm) -> None:
    asked = {"prompt": "x", "stream": True, "partial_images": 1}
    answer = client.post("/v1/images/generations", json=asked)
    frames = iter(answer.response)
    next(frames)  # a sign of life: from now on it looks
    [job] = list_jobs(farm.db, scope=None).jobs

    def come_back() -> None:
        with away(farm):
            time.sleep(0.5)
        finish_job(farm, job.id)

    with ThreadPoolExecutor(1) as thread:
        back = thread.submit(come_back)
        told = b"".join(frames).decode()
        back.result()
    answer.close()
    assert "event: error" not in told
    assert "event: image_generation.completed" in told
