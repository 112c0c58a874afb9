"""Stopped or killed in mid-denoise, a job goes on from its last checkpoint elsewhere."""

import signal
import subprocess

import pytest

from myriad.farm import Farm
from tests.processes import FAST_WORKER, JANITOR, Processes, wait_until
from tests.tasks.jobs import assert_effects_once, outcomes, post, steps_done, wait_for

STEPS = 60
pytestmark = pytest.mark.timeout(120)


def begin(farm: Farm, processes: Processes) -> tuple[str, "subprocess.Popen[bytes]"]:
    """A job some steps into its denoise, and the worker that is at it."""
    processes.start(JANITOR)
    worker = processes.start(FAST_WORKER)
    job_id = post(farm, "long", STEPS, seed=7)
    wait_until(lambda: len(steps_done(farm, job_id)) >= STEPS // 3, what="denoising")
    return job_id, worker


def assert_same_as_undisturbed(farm: Farm, job_id: str) -> None:
    """The chain of digests shows a step left out, done twice, or done from another state."""
    control = post(farm, "long", STEPS, seed=7, use_cache=False)
    first, second = wait_for(farm, [job_id, control])
    assert first.images[0].sha256 == second.images[0].sha256
    assert_effects_once(farm, [job_id, control])


def assert_nothing_left(farm: Farm) -> None:
    assert list(farm.redis.scan_iter("myriad:artifact:*")) == []
    assert list(farm.storage.list_keys("artifacts/")) == []


def test_after_kill_nine_only_the_rest_is_done(farm: Farm, processes: Processes) -> None:
    job_id, worker = begin(farm, processes)
    worker.kill()
    worker.wait()
    lost = [step for _, step in steps_done(farm, job_id)]
    processes.start(FAST_WORKER)
    wait_for(farm, [job_id])
    resumed = [step for attempt, step in steps_done(farm, job_id) if attempt == 3]
    assert 0 < resumed[0] <= lost[-1] + 1
    assert resumed == list(range(resumed[0], STEPS))
    assert outcomes(farm, job_id) == ["succeeded", "worker_lost", "succeeded", "succeeded"]
    assert_same_as_undisturbed(farm, job_id)
    assert_nothing_left(farm)


@pytest.mark.parametrize(
    "more_settings",
    [{"MYRIAD_CHECKPOINT_EVERY_S": "0", "MYRIAD_ARTIFACT_INLINE_BYTES": "0"}],
    ids=["untimed"],
)
def test_a_stopped_worker_leaves_its_last_step_behind(farm: Farm, processes: Processes) -> None:
    job_id, worker = begin(farm, processes)
    worker.send_signal(signal.SIGTERM)
    processes.start(FAST_WORKER)
    wait_for(farm, [job_id])
    assert [step for _, step in steps_done(farm, job_id)] == list(range(STEPS))
    assert outcomes(farm, job_id) == ["succeeded", "handed_back", "succeeded", "succeeded"]
    assert_same_as_undisturbed(farm, job_id)
    assert_nothing_left(farm)
