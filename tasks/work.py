"""One stage of one job, from hint to commit: re-read, check, act, mark."""

from collections.abc import Callable
from functools import partial
from threading import Lock
from typing import TypeVar

import structlog

from myriad.artifact import artifact_key
from myriad.claimant import Claimant
from myriad.db import commit
from myriad.db.claim import claim
from myriad.db.jobs import artifact_keys_of
from myriad.db.keep import advance_and_keep
from myriad.discretion import discreet
from myriad.errors import (
    ArtifactMissing,
    DatabaseUnavailable,
    LeaseLost,
    MyriadError,
    Preempted,
    ShuttingDown,
    StageFailed,
)
from myriad.farm import Farm
from myriad.fault import fault
from myriad.job import Stage
from myriad.lease import Lease
from tasks.checkpoint import Checkpoints
from tasks.control import LeaseControl
from tasks.files import read_inputs, store_picture
from tasks.fitness import Fitness
from tasks.heart import Heart
from tasks.insist import insist
from tasks.nudge import Nudge
from tasks.runner import Picture, StageRunner
from tasks.span import stage_span
from tasks.verdict import Verdict

Result = TypeVar("Result")

_log = structlog.get_logger(__name__)


class StageWork:
    """What the Celery tasks of one worker process stand on."""

    def __init__(
        self,
        farm: Farm,
        runner: StageRunner,
        who: Claimant,
        heart: Heart,
        checkpoints: Checkpoints,
        nudge: Nudge,
        fitness: Fitness | None = None,
    ) -> None:
        self._farm, self._runner, self._who = farm, runner, who
        self._heart, self._checkpoints, self._nudge = heart, checkpoints, nudge
        self._fitness = fitness or Fitness()
        self._verdict = Verdict(farm, who, checkpoints)
        # Two claims of one worker at once could both find that it holds no suspect.
        self._claiming = Lock()

    @property
    def is_draining(self) -> bool:
        return self._heart.is_draining

    def do(self, job_id: str, stage: Stage) -> None:
        """Do the stage if it is still to be done. Returns normally whatever became of it.

        Without a database nothing can be marked: the row stays due, or its lease
        runs out, and the janitor sees to it.
        """
        try:
            self._claim_and_do(job_id, stage)
        except DatabaseUnavailable as error:
            _log.warning("stage_put_off", job=job_id, stage=stage.value, error=error.message)
        except BaseException:
            # What left a task here (MemoryError, SystemExit) would take one of the
            # worker's slots with it for good.
            _log.exception("stage_put_off", job=job_id, stage=stage.value)

    def _claim_and_do(self, job_id: str, stage: Stage) -> None:
        with self._claiming:
            lease = claim(self._farm.db, job_id, stage, self._who, self._farm.settings.lease_s)
        if lease is None:
            return
        if lease.job_id != job_id:
            self._nudge.now()  # the job of the hint made way, and is due again
        fault("after_claim")
        following: Lease | None = lease
        while following is not None:
            following = self._do_held(following)
        fault("after_commit_before_ack")
        self._nudge.now()

    def _do_held(self, lease: Lease) -> Lease | None:
        """Do the stage; the lease of the next one if the job stays here."""
        about = structlog.contextvars.bound_contextvars(
            job=lease.job_id, stage=lease.stage.value, attempt=lease.attempt
        )
        with about, discreet((lease.params.prompt, lease.params.negative_prompt)):
            return self._do(LeaseControl(lease, self._farm.settings, self._checkpoints.keep))

    def _do(self, control: LeaseControl) -> Lease | None:
        try:
            span = stage_span(self._farm.tracer, control.lease, self._who.pool)
            with self._heart.hold(control), span:
                following = self._perform(control)
            self._fitness.worked()
            return following
        except MyriadError as error:
            try:
                self._mark(control, error)
            finally:
                self._fitness.failed(error, control.lease.model)
        except BaseException as error:
            _log.exception("stage_broke")
            stage = control.lease.stage
            self._mark(control, StageFailed(f"{type(error).__name__} in {stage}"))
        return None

    def _mark(self, control: LeaseControl, error: MyriadError) -> None:
        """Put into SQL why the stage did not end well."""
        with self._heart.hold(control):
            self._insist(control, partial(self._verdict.record, control, error))
        self._verdict.clear_up(control.lease, error)

    def _insist(self, control: LeaseControl, write: Callable[[], Result]) -> Result:
        """`write()`, however long the database is away; the lease must be held meanwhile."""
        return insist(write, on_wait=control.touch, is_leaving=lambda: self._heart.is_draining)

    def _perform(self, control: LeaseControl) -> Lease | None:
        lease, following = control.lease, None
        control.raise_if_stopped()
        if lease.stage is Stage.ENCODE:
            inputs = read_inputs(self._farm.storage, lease.params)
            following = self._pass_on(control, self._runner.encode(lease, inputs, control))
        elif lease.stage is Stage.DENOISE:
            following = self._pass_on(control, self._denoise(control))
            self._checkpoints.forget(lease)
        else:
            self._publish(control, self._runner.decode(lease, self._input(lease), control))
        return following

    def _denoise(self, control: LeaseControl) -> bytes:
        lease = control.lease
        blob, checkpoint = self._input(lease), self._checkpoints.read(lease)
        try:
            return self._runner.denoise(lease, blob, control, checkpoint)
        except (ShuttingDown, Preempted):
            # Whoever takes the job next must find where it stands.
            self._checkpoints.flush(lease)
            raise

    def _input(self, lease: Lease) -> bytes:
        if lease.artifact_key is None:
            raise ArtifactMissing(f"{lease.stage} has no input")
        return self._farm.artifacts.get(lease.artifact_key)

    def _pass_on(self, control: LeaseControl, blob: bytes) -> Lease | None:
        # A job that was rewound once has met a broker that forgets: its
        # artifacts go where they last.
        lease, db, lease_s = control.lease, self._farm.db, self._farm.settings.lease_s
        key = artifact_key(lease.job_id, lease.stage, lease.attempt)
        self._farm.artifacts.put(key, blob, durable=lease.rewinds > 0)
        fault("after_store_before_commit")
        keep = partial(advance_and_keep, db, lease, key, self._who, lease_s, control.notes)
        return self._insist(control, keep)

    def _publish(self, control: LeaseControl, pictures: list[Picture]) -> None:
        lease, storage = control.lease, self._farm.storage
        images = [
            store_picture(storage, lease.job_id, index, picture)
            for index, picture in enumerate(pictures)
        ]
        fault("after_store_before_commit")
        finish = partial(commit.finish, self._farm.db, lease, images, control.notes)
        if not self._insist(control, finish):
            raise LeaseLost("another attempt has the job")
        self._farm.artifacts.delete(artifact_keys_of(self._farm.db, lease.job_id))
        self._farm.signals.forget_preview(lease.job_id)
