"""After an outage the janitor takes nobody for dead for a while."""

import time

import pytest

from myriad.claimant import Claimant
from myriad.db.claim import claim
from myriad.farm import Farm
from myriad.job import Stage
from tasks.app import create_celery
from tasks.dispatch import Dispatcher
from tasks.janitor import Janitor
from tasks.outage_watch import OutageWatch
from tests.processes import wait_until
from tests.tasks.jobs import outcomes, post

LEASE_S = 1.0


def test_wary_after_rounds_that_failed_until_all_could_renew() -> None:
    watch = OutageWatch(LEASE_S)
    assert not watch.is_wary()
    watch.note_good_round()
    end = time.monotonic() + LEASE_S
    while time.monotonic() < end:
        watch.is_wary()  # and the round fails
        time.sleep(0.05)
    assert watch.is_wary()
    watch.note_good_round()
    assert watch.is_wary()

    def is_over() -> bool:
        is_wary = watch.is_wary()
        watch.note_good_round()
        return not is_wary

    wait_until(is_over, what="trust in leases")


def test_wary_after_a_round_that_hung() -> None:
    watch = OutageWatch(LEASE_S)
    watch.is_wary()
    time.sleep(LEASE_S * 0.6)
    watch.note_good_round()
    assert watch.is_wary()


@pytest.mark.parametrize("migrated_url", ["sqlite"], indirect=True)
def test_the_janitor_takes_nothing_back_at_once_after_it_could_not_look(farm: Farm) -> None:
    janitor = Janitor(farm, Dispatcher(farm, create_celery(farm.settings)))
    janitor.run()
    job_id = post(farm, "a circle")
    assert claim(farm.db, job_id, Stage.ENCODE, Claimant("all@here", "all", "cpu"), 0.1)
    time.sleep(farm.settings.lease_s * 0.6)
    janitor.run()
    assert outcomes(farm, job_id) == ["running"]  # its lease has run out all the same

    def is_taken_back() -> bool:
        janitor.run()
        return outcomes(farm, job_id) == ["worker_lost"]

    wait_until(is_taken_back, what="its worker is taken for dead after all")
