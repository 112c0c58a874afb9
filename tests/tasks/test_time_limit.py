"""Deadlines of jobs, and workers that hang."""

import pytest

from myriad.farm import Farm
from myriad.job import JobState
from tests.processes import JANITOR, Processes, wait_until
from tests.tasks.jobs import outcomes, pool, post, steps_done, wait_for

WORKER = ("tests.tasks.fast_worker", "pair")
pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def pools() -> str:
    return pool("pair", concurrency=2)


@pytest.fixture
def more_settings() -> dict[str, str]:
    # One try: whoever loses a worker by another's fault would fail.
    return {"MYRIAD_STALL_S": "1.5", "MYRIAD_MAX_TRIES": "1", "MYRIAD_DRAIN_S": "4"}


def test_a_deadline_ends_a_job_at_its_next_step(farm: Farm, processes: Processes) -> None:
    processes.start(WORKER)
    processes.start(JANITOR)
    wait_for(farm, [post(farm, "first")])
    job_id = post(farm, "slow", 150, deadline_s=2)
    record = wait_for(farm, [job_id])[0]
    assert (record.state, record.error_code) == (JobState.FAILED, "deadline_exceeded")
    assert outcomes(farm, job_id)[-1] == "deadline_exceeded"
    assert 0 < len(steps_done(farm, job_id)) < 150
    wait_until(lambda: farm.signals.preview(job_id) is None, what="the preview's end")
    wait_until(lambda: not list(farm.redis.scan_iter("*checkpoint")), what="the checkpoint's end")


def test_the_janitor_ends_those_nobody_has_taken(farm: Farm, processes: Processes) -> None:
    processes.start(JANITOR)
    job_id = post(farm, "waiting", deadline_s=0.2)
    assert wait_for(farm, [job_id])[0].error_code == "deadline_exceeded"
    assert outcomes(farm, job_id) == []


@pytest.mark.parametrize("migrated_url", ["sqlite"], indirect=True)
def test_a_worker_that_hangs_ends_itself_and_spares_its_neighbour(
    farm: Farm, processes: Processes
) -> None:
    processes.start(JANITOR)
    hanging = processes.start(WORKER)
    neighbour = post(farm, "slow", 60)
    wait_until(lambda: len(steps_done(farm, neighbour)) > 2, what="denoising")
    culprit = post(farm, "hang")
    assert hanging.wait(timeout=60) == 1
    processes.start(WORKER)
    lost = wait_for(farm, [culprit])[0]
    assert (lost.state, lost.error_code) == (JobState.FAILED, "worker_lost")
    assert wait_for(farm, [neighbour])[0].state is JobState.SUCCEEDED
    assert outcomes(farm, neighbour) == ["succeeded", "handed_back", "succeeded", "succeeded"]
    assert [step for _, step in steps_done(farm, neighbour)] == list(range(60))
