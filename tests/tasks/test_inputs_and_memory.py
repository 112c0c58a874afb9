"""Uploaded inputs reach the encode stage; too little memory in one pool is another's to solve."""

import hashlib

import pytest

from myriad.db.inputs import keep_input
from myriad.db.jobs import find_job
from myriad.db.workers import live_workers
from myriad.errors import InputMissing
from myriad.farm import Farm
from myriad.inputs import INPUT_TYPE, input_key
from myriad.job import JobState
from tasks.files import read_inputs
from tests.processes import JANITOR, Processes, wait_until
from tests.submissions import make_submission
from tests.tasks.jobs import outcomes, pool, post, post_many, wait_for

SMALL, SMALLER, LARGE = (
    ("tests.tasks.fast_worker", name) for name in ("small", "smaller", "large")
)
pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.parametrize("migrated_url", ["sqlite"], indirect=True),
]


@pytest.fixture
def pools() -> str:
    return "".join(pool(name, concurrency=2) for name in ("small", "smaller", "large"))


@pytest.fixture
def more_settings() -> dict[str, str]:
    # An offer to a pool without workers is soon made to another.
    return {"MYRIAD_REDISPATCH_S": "0.5"}


def store_input(farm: Farm, data: bytes) -> str:
    digest = hashlib.sha256(data).hexdigest()
    farm.storage.put(input_key(digest), data, INPUT_TYPE)
    keep_input(farm.db, scope="", digest=digest, size_bytes=len(data), width=8, height=8)
    return digest


def test_inputs_are_read_once_each_by_digest(farm: Farm) -> None:
    image, mask = store_input(farm, b"image"), store_input(farm, b"mask")
    params = make_submission(image=image, mask=mask).params
    assert read_inputs(farm.storage, params) == {image: b"image", mask: b"mask"}
    gone = make_submission(image="0" * 64).params
    with pytest.raises(InputMissing, match="0000"):
        read_inputs(farm.storage, gone)


@pytest.mark.parametrize("pools", [pool("large", concurrency=2)])
def test_a_job_whose_input_is_gone_fails_at_once(farm: Farm, processes: Processes) -> None:
    processes.start(JANITOR)
    processes.start(LARGE)
    there = post(farm, "a", image=store_input(farm, b"image"))
    lost = store_input(farm, b"lost")
    farm.storage.delete(input_key(lost))
    gone = post(farm, "a", image=lost)
    assert wait_for(farm, [there])[0].state is JobState.SUCCEEDED
    record = wait_for(farm, [gone])[0]
    assert (record.error_code, outcomes(farm, gone)) == ("input_missing", ["input_missing"])


def test_another_pool_does_what_this_one_cannot_hold(farm: Farm, processes: Processes) -> None:
    for command in (JANITOR, SMALL, LARGE):
        processes.start(command)
    wait_for(farm, post_many(farm, 4))
    jobs = [post(farm, "hungry", seed=seed) for seed in range(6)]
    assert {record.state for record in wait_for(farm, jobs)} == {JobState.SUCCEEDED}
    moved = [find_job(farm.db, job_id, scope="") for job_id in jobs]
    for job_id, record in zip(jobs, moved, strict=True):
        failures = outcomes(farm, job_id).count("out_of_memory")
        assert failures <= 1
        assert len(record.notes) == 2 * failures
        if failures:
            assert record.notes[0].endswith("tried with fewer rows")
            assert record.notes[1].endswith("in pool small: left to large")


def test_when_no_pool_can_hold_it_this_job_alone_fails(farm: Farm, processes: Processes) -> None:
    for command in (JANITOR, SMALL, SMALLER):
        processes.start(command)
    wait_for(farm, post_many(farm, 4))
    within_s = farm.settings.lease_s
    wait_until(lambda: len(live_workers(farm.db, within_s=within_s)) == 2, what="both workers")
    hungry = post(farm, "hungry")
    others = [post(farm, f"fine {number}") for number in range(4)]
    record = wait_for(farm, [hungry])[0]
    assert (record.state, record.error_code) == (JobState.FAILED, "out_of_memory")
    assert outcomes(farm, hungry).count("out_of_memory") == 2
    assert {job.state for job in wait_for(farm, others)} == {JobState.SUCCEEDED}
