"""A worker that is told to leave, in this process: who is handed back, and when."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from myriad.claimant import Claimant
from myriad.db.claim import claim
from myriad.farm import Farm
from myriad.job import Stage
from tasks.control import LeaseControl
from tasks.departure import Departure
from tasks.fitness import Fitness
from tasks.heart import Heart
from tests.processes import wait_until
from tests.tasks.jobs import outcomes, post

WHO = Claimant("all@here", "all", "cpu")
pytestmark = pytest.mark.parametrize("migrated_url", ["sqlite"], indirect=True)


@pytest.fixture
def more_settings() -> dict[str, str]:
    return {"MYRIAD_DRAIN_S": "1"}


@pytest.fixture
def heart(farm: Farm) -> Iterator[Heart]:
    opened = Heart(farm)
    yield opened
    opened.close()


def held(farm: Farm, prompt: str) -> LeaseControl:
    lease = claim(farm.db, post(farm, prompt), Stage.ENCODE, WHO, 60)
    assert lease is not None
    return LeaseControl(lease, farm.settings, keep=lambda *_: None)


def test_what_only_waits_is_handed_back_at_once_and_the_rest_in_the_end(
    farm: Farm, heart: Heart
) -> None:
    ends: list[int] = []
    waiting, begun = held(farm, "waiting"), held(farm, "begun")
    begun.check()
    with ExitStack() as stack:
        for control in (waiting, begun):
            stack.enter_context(heart.hold(control))
        Departure(farm, WHO, heart, Fitness(), end=ends.append).begin()
        wait_until(
            lambda: outcomes(farm, waiting.lease.job_id) == ["handed_back"], what="handing back"
        )
        assert outcomes(farm, begun.lease.job_id) == ["running"]
        assert ends == []
        wait_until(lambda: ends == [0], what="the end")
    assert outcomes(farm, begun.lease.job_id) == ["handed_back"]
