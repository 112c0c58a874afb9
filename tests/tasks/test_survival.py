"""Kill any process, and the broker: every accepted job still ends exactly once."""

import signal
import subprocess
import time

import pytest
from sqlalchemy import text

from myriad.db.cancel import cancel_job
from myriad.db.jobs import find_job
from myriad.embedded import EmbeddedValkey
from myriad.farm import Farm
from myriad.job import JobState
from tests.processes import FAST_WORKER, JANITOR, Processes, freeze, wait_until
from tests.tasks.jobs import assert_effects_once, count_final, post, post_many, wait_for

JOBS = 50
pytestmark = pytest.mark.timeout(300)


def test_fifty_jobs_with_nothing_going_wrong(farm: Farm, processes: Processes) -> None:
    processes.start(FAST_WORKER)
    processes.start(JANITOR)
    job_ids = post_many(farm, JOBS)
    wait_for(farm, job_ids)
    assert_effects_once(farm, job_ids)


@pytest.mark.parametrize("kind", [FAST_WORKER, JANITOR], ids=["worker", "janitor"])
def test_killing_a_process_in_the_middle(
    farm: Farm, processes: Processes, kind: tuple[str, ...]
) -> None:
    running = {command: processes.start(command) for command in (FAST_WORKER, JANITOR)}
    job_ids = post_many(farm, JOBS)
    for share in (JOBS // 5, JOBS // 2):
        wait_until(lambda share=share: count_final(farm) >= share, what="progress")  # type: ignore[misc]
        running[kind].kill()
        running[kind].wait()
        running[kind] = processes.start(kind)
    wait_for(farm, job_ids)
    assert_effects_once(farm, job_ids)


def test_killing_the_broker_in_the_middle(
    farm: Farm, processes: Processes, broker: EmbeddedValkey
) -> None:
    processes.start(FAST_WORKER)
    processes.start(JANITOR)
    job_ids = post_many(farm, JOBS)
    wait_until(lambda: count_final(farm) >= JOBS // 5, what="progress")
    assert broker.process
    broker.process.kill()
    broker.process.wait()
    broker.start()
    wait_for(farm, job_ids)
    assert_effects_once(farm, job_ids)


def test_flushing_the_broker_in_the_middle(farm: Farm, processes: Processes) -> None:
    processes.start(FAST_WORKER)
    processes.start(JANITOR)
    job_ids = post_many(farm, JOBS)
    for share in (JOBS // 5, JOBS // 2):
        wait_until(lambda share=share: count_final(farm) >= share, what="progress")  # type: ignore[misc]
        farm.redis.flushall()
    wait_for(farm, job_ids)
    assert_effects_once(farm, job_ids)


def test_a_frozen_worker_wakes_up_too_late(farm: Farm, processes: Processes) -> None:
    frozen = processes.start(FAST_WORKER)
    processes.start(JANITOR)
    job_ids = post_many(farm, 20, steps=10)
    wait_until(lambda: count_final(farm) >= 4, what="progress")
    # SQLite's one write lock is the file's: a process stopped while it holds it stops
    # every writer until it is killed. Holding it here says that it does not.
    with farm.db.write() as session:
        session.execute(text("SELECT 1"))
        freeze(frozen)
    processes.start(FAST_WORKER)
    wait_for(farm, job_ids)
    frozen.send_signal(signal.SIGCONT)
    time.sleep(1)  # long enough for its late commits to be tried
    assert_effects_once(farm, job_ids)


def test_a_poison_prompt_takes_three_workers_and_no_neighbour(
    farm: Farm, processes: Processes
) -> None:
    processes.start(JANITOR)
    poison = post(farm, "poison")
    others = post_many(farm, 10)
    worker: subprocess.Popen[bytes] | None = None

    def is_over() -> bool:
        nonlocal worker
        if worker is None or worker.poll() is not None:
            worker = processes.start(FAST_WORKER)
        return find_job(farm.db, poison, scope="").state.is_final

    wait_until(is_over, within_s=90, what="the poison's end")
    assert find_job(farm.db, poison, scope="").error_code == "worker_lost"
    wait_for(farm, others)
    assert_effects_once(farm, others)


def test_sigterm_hands_work_back_and_leaves_quickly(farm: Farm, processes: Processes) -> None:
    leaving = processes.start(FAST_WORKER)
    processes.start(JANITOR)
    job_ids = post_many(farm, 8, steps=150)
    wait_until(
        lambda: any(find_job(farm.db, i, scope="").stage == "denoise" for i in job_ids),
        what="denoising",
    )
    leaving.terminate()
    assert leaving.wait(timeout=20) == 0
    for job_id in job_ids:
        record = find_job(farm.db, job_id, scope="")
        assert not record.state.is_final
        cancel_job(farm.db, job_id, scope="")


@pytest.mark.parametrize(
    ("prompt", "code"),
    [("too long", "prompt_too_long"), ("nan", "non_finite_output"), ("memory", "stage_failed")],
)
def test_a_failing_stage_fails_its_job_with_a_code(
    farm: Farm, processes: Processes, prompt: str, code: str
) -> None:
    processes.start(FAST_WORKER)
    processes.start(JANITOR)
    record = wait_for(farm, [post(farm, prompt)])[0]
    assert (record.state, record.error_code) == (JobState.FAILED, code)
    after = wait_for(farm, post_many(farm, 10))
    assert {job.state for job in after} == {JobState.SUCCEEDED}


def test_a_canceled_job_frees_its_slot(farm: Farm, processes: Processes) -> None:
    processes.start(FAST_WORKER)
    processes.start(JANITOR)
    job_id = post(farm, "long", steps=20)
    endless = post(farm, "longer", steps=150)
    wait_until(lambda: farm.signals.progress(endless) > 0, what="its first step")
    assert cancel_job(farm.db, endless, scope="")
    farm.signals.announce_cancel(endless)
    wait_for(farm, [job_id])
    told = farm.signals.progress(endless)
    time.sleep(0.5)
    assert farm.signals.progress(endless) == told < 1
