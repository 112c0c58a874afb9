"""The threads beside a stage, in this process: what they must do before and after each other."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from threading import Thread

import pytest

from myriad.artifact import ArtifactStore
from myriad.claimant import Claimant
from myriad.db.cancel import cancel_job
from myriad.db.claim import claim
from myriad.db.commit import advance
from myriad.db.due import reclaim_expired
from myriad.errors import LeaseLost, Preempted, StorageUnavailable
from myriad.farm import Farm
from myriad.job import Stage
from myriad.lease import Lease
from myriad.storage.base import StoredObject
from myriad.storage.local import LocalStorage
from tasks.app import create_celery
from tasks.checkpoint import Checkpoints
from tasks.control import LeaseControl
from tasks.dispatch import Dispatcher
from tasks.heart import Heart
from tasks.nudge import Nudge
from tasks.preemption import Preemption
from tasks.runner import Control, StageRunner
from tasks.work import StageWork
from tests.processes import wait_until
from tests.tasks.fast_worker import FastRunner
from tests.tasks.jobs import outcomes, post

ALL = tuple(Stage)
pytestmark = pytest.mark.parametrize("migrated_url", ["sqlite"], indirect=True)


@pytest.fixture
def more_settings() -> dict[str, str]:
    return {"MYRIAD_STALL_S": "1.5", "MYRIAD_ARTIFACT_INLINE_BYTES": "0"}


@pytest.fixture
def closing() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


class SlowStorage(LocalStorage):
    """Takes its time over checkpoints."""

    def put(self, key: str, data: bytes, content_type: str) -> StoredObject:
        if key.endswith("-checkpoint"):
            time.sleep(0.5)
        return super().put(key, data, content_type)


class LeavingRunner(FastRunner):
    """Is told to make way in the middle of a denoise."""

    def denoise(
        self, lease: Lease, blob: bytes, control: Control, checkpoint: bytes | None = None
    ) -> bytes:
        control.checkpoint(b"halfway")
        raise Preempted("more urgent")


class LosingRunner(FastRunner):
    """Finds in the middle of a denoise that another has the job."""

    lease: Lease

    def denoise(
        self, lease: Lease, blob: bytes, control: Control, checkpoint: bytes | None = None
    ) -> bytes:
        self.lease = lease
        control.checkpoint(b"halfway")
        raise LeaseLost("taken over")


def work_over(
    farm: Farm, closing: ExitStack, runner: StageRunner, checkpoints: Checkpoints | None = None
) -> StageWork:
    who = Claimant("all@here", "all", "cpu")
    heart, checkpoints = Heart(farm), checkpoints or Checkpoints(farm.artifacts)
    nudge = Nudge(Dispatcher(farm, create_celery(farm.settings)))
    for part in (heart, checkpoints, nudge):
        closing.callback(part.close)
    return StageWork(farm, runner, who, heart, checkpoints, nudge)


def hold_denoise(farm: Farm, who: Claimant, prompt: str) -> LeaseControl:
    job_id = post(farm, prompt)
    lease = claim(farm.db, job_id, Stage.ENCODE, replace(who, stages=()), 60)
    assert lease is not None
    assert advance(farm.db, lease, f"{job_id}-encode-1")
    lease = claim(farm.db, job_id, Stage.DENOISE, replace(who, stages=()), 60)
    assert lease is not None
    return LeaseControl(lease, farm.settings, keep=lambda *_: None)


def test_the_checkpoint_is_stored_before_the_job_is_given_back(
    farm: Farm, closing: ExitStack
) -> None:
    slow = SlowStorage(farm.settings.home / "storage")
    farm = replace(farm, storage=slow, artifacts=ArtifactStore(farm.redis, slow, 60, 0))
    work = work_over(farm, closing, LeavingRunner("all", farm.settings.home))
    job_id = post(farm, "long")
    work.do(job_id, Stage.ENCODE)
    work.do(job_id, Stage.DENOISE)
    assert outcomes(farm, job_id) == ["succeeded", "preempted"]
    assert farm.artifacts.get(f"{job_id}-encode-1-checkpoint") == b"halfway"


def test_what_a_lost_lease_has_left_is_anothers_to_forget(farm: Farm, closing: ExitStack) -> None:
    runner = LosingRunner("all", farm.settings.home)
    checkpoints = Checkpoints(farm.artifacts)
    work, job_id = work_over(farm, closing, runner, checkpoints), post(farm, "long")
    work.do(job_id, Stage.ENCODE)
    work.do(job_id, Stage.DENOISE)
    checkpoints.forget(runner.lease)
    assert farm.artifacts.get(f"{job_id}-encode-1-checkpoint") == b"halfway"


def test_a_stale_hint_makes_room_for_another(farm: Farm, closing: ExitStack) -> None:
    work = work_over(farm, closing, FastRunner("all", farm.settings.home))
    post(farm, "next")
    work.do("0" * 32, Stage.ENCODE)
    wait_until(lambda: bool(farm.redis.llen("encode.all")), what="a hint")


def test_a_hanging_stage_loses_its_lease_and_ends_the_worker_once(
    farm: Farm, closing: ExitStack
) -> None:
    graces: list[float] = []
    heart = Heart(farm, on_hang=graces.append)
    closing.callback(heart.close)
    who = Claimant("all@here", "all", "cpu")
    hanging, working = hold_denoise(farm, who, "hanging"), hold_denoise(farm, who, "working")
    closing.enter_context(heart.hold(hanging))
    closing.enter_context(heart.hold(working))
    hanging.check()
    lost: list[str] = []

    def is_lost() -> bool:
        working.check()
        lost.extend(reclaim_expired(farm.db, farm.retry_rule))
        return bool(lost)

    # The claims were for a minute; the first beat makes them `lease_s`.
    wait_until(is_lost, what="the end of the lease")
    assert lost == [hanging.lease.job_id]
    # Long enough for the others to be handed back before the process is killed.
    assert graces[0] > farm.settings.drain_s
    assert len(graces) == 1


def test_two_full_workers_stop_one_job_for_one_urgent_one(farm: Farm, closing: ExitStack) -> None:
    held: list[LeaseControl] = []
    for name in ("first", "second"):
        who = Claimant(name, "all", "cpu", stages=ALL)
        heart = Heart(farm, on_hang=lambda _: None)
        control = hold_denoise(farm, who, name)
        closing.callback(heart.close)
        closing.enter_context(heart.hold(control))
        closing.callback(Preemption(farm, who, 1, heart).close)
        held.append(control)
    post(farm, "urgent", priority=1)
    wait_until(lambda: any(control.is_stopped for control in held), what="one is stopped")
    time.sleep(2)  # the other has looked several times by now
    assert sum(control.is_stopped for control in held) == 1


class AwayStorage(LocalStorage):
    """Takes no artifact until it is back."""

    is_back = False
    asked = 0

    def put(self, key: str, data: bytes, content_type: str) -> StoredObject:
        self.asked += 1
        if not self.is_back:
            raise StorageUnavailable("away")
        return super().put(key, data, content_type)


@pytest.mark.parametrize("is_canceled", [False, True], ids=["then back", "then canceled"])
def test_what_is_done_waits_for_a_store_that_is_away(
    farm: Farm, closing: ExitStack, is_canceled: bool
) -> None:
    away = AwayStorage(farm.settings.home / "storage")
    farm = replace(farm, storage=away, artifacts=ArtifactStore(farm.redis, away, 60, 0))
    work = work_over(farm, closing, FastRunner("all", farm.settings.home))
    job_id = post(farm, "patient")
    stage = Thread(target=work.do, args=(job_id, Stage.ENCODE))
    stage.start()
    wait_until(lambda: away.asked > 0, what="the first try")
    if is_canceled:
        cancel_job(farm.db, job_id, scope="")
    else:
        away.is_back = True
    stage.join()
    assert outcomes(farm, job_id) == ["canceled" if is_canceled else "succeeded"]
