"""Workers that leave: told to, in time, and because they cannot work."""

import pytest

from myriad.db.workers import live_workers, unfit_workers
from myriad.farm import Farm
from myriad.job import JobState
from myriad.up.process import UNFIT_EXIT
from tests.processes import JANITOR, Processes, wait_until
from tests.tasks.jobs import outcomes, pool, post, steps_done, wait_for

WORKER = ("tests.tasks.fast_worker", "pair")
pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.parametrize("migrated_url", ["sqlite"], indirect=True),
]


@pytest.fixture
def pools() -> str:
    return pool("pair", concurrency=2)


@pytest.fixture
def more_settings() -> dict[str, str]:
    # One try: whoever is counted one by another's fault would fail.
    return {"MYRIAD_DRAIN_S": "1", "MYRIAD_MAX_TRIES": "1"}


def test_what_does_not_stop_in_time_is_handed_back_before_the_end(
    farm: Farm, processes: Processes
) -> None:
    processes.start(JANITOR)
    leaving = processes.start(WORKER)
    stuck, stopping = post(farm, "hang"), post(farm, "slow", 60)
    wait_until(lambda: len(steps_done(farm, stopping)) > 2, what="denoising")
    wait_until(lambda: outcomes(farm, stuck) == ["succeeded", "running"], what="the hanging step")
    leaving.terminate()
    wait_until(lambda: not live_workers(farm.db, within_s=60), what="signing off")
    assert leaving.wait(timeout=60) == 0
    assert outcomes(farm, stuck) == ["succeeded", "handed_back"]
    processes.start(WORKER)
    assert wait_for(farm, [stopping])[0].state is JobState.SUCCEEDED
    # Handed back where it stood, and gone on with from there.
    assert [step for _, step in steps_done(farm, stopping)] == list(range(60))


def test_who_loses_its_device_leaves_and_harms_no_neighbour(
    farm: Farm, processes: Processes
) -> None:
    processes.start(JANITOR)
    neighbour = post(farm, "slow", 20)
    worker = processes.start(WORKER)
    wait_until(lambda: len(steps_done(farm, neighbour)) > 2, what="denoising")
    culprit = post(farm, "assert")
    assert worker.wait(timeout=60) == UNFIT_EXIT
    assert live_workers(farm.db, within_s=60) == []
    why = "device_lost: CUDA error: device-side assert triggered"
    assert unfit_workers(farm.db) == {"pair": why}
    for job_id in (culprit, neighbour):
        assert outcomes(farm, job_id)[-1] == "device_lost"
    second = processes.start(WORKER)
    lost = wait_for(farm, [culprit])[0]
    assert (lost.state, lost.error_code) == (JobState.FAILED, "device_lost")
    assert second.wait(timeout=60) == UNFIT_EXIT
    processes.start(WORKER)
    assert wait_for(farm, [neighbour])[0].state is JobState.SUCCEEDED
