"""Cancels at any moment, twice, and beside the job's own end: each job ends once."""

import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from myriad.db.cancel import cancel_job
from myriad.db.tables import EventRow, ImageRow
from myriad.farm import Farm
from myriad.job import JobState
from tests.processes import FAST_WORKER, JANITOR, Processes, wait_until
from tests.tasks.jobs import count_final, post, post_many, wait_for

JOBS = 60
pytestmark = pytest.mark.timeout(180)


@pytest.mark.parametrize("migrated_url", ["postgres"], indirect=True)
def test_each_job_ends_once_whoever_comes_first(farm: Farm, processes: Processes) -> None:
    processes.start(FAST_WORKER)
    processes.start(JANITOR)
    wait_for(farm, [post(farm, "first", steps=1)])
    job_ids = post_many(farm, JOBS, steps=1)
    # However slow this machine is, these will not have ended.
    job_ids += [post(farm, f"long {number}", steps=150) for number in range(3)]
    dice = random.Random(14)
    dice.shuffle(job_ids)

    def cancel_twice(job_id: str) -> bool:
        """Whether either call said that it was the one. From the queue's middle to its end."""
        time.sleep(dice.random() * 0.1)
        said = [cancel_job(farm.db, job_id, scope="") for _ in range(2)]
        farm.signals.announce_cancel(job_id)
        assert said[1] is False
        return said[0]

    wait_until(lambda: count_final(farm) > 1, what="some end by themselves")
    with ThreadPoolExecutor(4) as threads:
        first, second = (
            list(threads.map(cancel_twice, job_ids))
            for _ in range(2)  # and once more for all
        )
    assert not any(second)
    ends = {job.id: job.state for job in wait_for(farm, job_ids)}
    assert ends == {
        job_id: JobState.CANCELED if said else JobState.SUCCEEDED
        for job_id, said in zip(job_ids, first, strict=True)
    }
    assert set(ends.values()) == {JobState.CANCELED, JobState.SUCCEEDED}
    completed = select(EventRow.job_id).where(EventRow.kind == "completed")
    with farm.db.read() as session:
        terminal = Counter(session.scalars(completed))
        drawn = set(session.scalars(select(ImageRow.job_id)))
    assert {job_id: terminal[job_id] for job_id in job_ids} == dict.fromkeys(job_ids, 1)
    assert drawn & set(job_ids) == {key for key, end in ends.items() if end is JobState.SUCCEEDED}


@pytest.mark.parametrize("migrated_url", ["sqlite"], indirect=True)
def test_a_cancel_beside_the_last_commit(farm: Farm, processes: Processes) -> None:
    """Canceled as soon as its picture is stored, again and again."""
    processes.start(FAST_WORKER)
    processes.start(JANITOR)
    for number in range(5):
        job_id = post(farm, f"nearly done {number}", steps=1)
        wait_until(lambda: any(farm.storage.list_keys("images/")), what="a picture")
        is_canceled = cancel_job(farm.db, job_id, scope="")
        (job,) = wait_for(farm, [job_id])
        assert job.state is (JobState.CANCELED if is_canceled else JobState.SUCCEEDED)
        assert len(job.images) == (0 if is_canceled else 1)
        for key, _ in list(farm.storage.list_keys("images/")):
            farm.storage.delete(key)
