"""A full worker makes room for a more urgent job, and nothing is done twice for it."""

from datetime import datetime

import pytest
from sqlalchemy import select

from myriad.db.tables import StageRunRow
from myriad.farm import Farm
from tests.processes import JANITOR, Processes, wait_until
from tests.tasks.jobs import assert_effects_once, outcomes, pool, post, steps_done, wait_for

LONG = 60
WORKER = ("tests.tasks.fast_worker", "pair")
pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def pools() -> str:
    return pool("pair", concurrency=2)


def fill(farm: Farm, slots: int) -> list[str]:
    """As many long jobs in their denoise as there are slots, and one more in the queue."""
    jobs = [post(farm, f"slow {number}", LONG) for number in range(slots + 1)]
    wait_until(
        lambda: sum(len(steps_done(farm, job_id)) > 2 for job_id in jobs) == slots,
        what="denoising",
    )
    return jobs


def begun(farm: Farm, job_id: str) -> list[datetime]:
    """When each of the job's stage runs began."""
    query = select(StageRunRow.started_at).where(StageRunRow.job_id == job_id)
    with farm.db.read() as session:
        return list(session.scalars(query.order_by(StageRunRow.attempt)))


def test_the_urgent_job_takes_a_slot_and_the_other_goes_on_later(
    farm: Farm, processes: Processes
) -> None:
    processes.start(JANITOR)
    processes.start(WORKER)
    jobs = fill(farm, slots=2)
    urgent = post(farm, "urgent", priority=5)
    wait_for(farm, [urgent, *jobs])
    (victim,) = (job_id for job_id in jobs if "preempted" in outcomes(farm, job_id))
    assert outcomes(farm, victim) == ["succeeded", "preempted", "succeeded", "succeeded"]
    assert begun(farm, urgent)[0] < begun(farm, victim)[2]
    for job_id in jobs:
        assert [step for _, step in steps_done(farm, job_id)] == list(range(LONG))
    assert_effects_once(farm, [*jobs, urgent])
