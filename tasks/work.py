"""One stage of one job, from hint to commit: re-read, check, act, mark."""

from functools import partial
from threading import Lock

import structlog

from myriad.artifact import artifact_key
from myriad.claimant import Claimant
from myriad.db import commit
from myriad.db.claim import claim
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
from tasks.insist import Insistence
from tasks.nudge import Nudge
from tasks.preference import Preference
from tasks.runner import Picture, StageRunner
from tasks.span import stage_span
from tasks.verdict import Verdict

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
        preference: Preference | None = None,
    ) -> None:
        self._farm, self._runner, self._who = farm, runner, who
        self._heart, self._checkpoints, self._nudge = heart, checkpoints, nudge
        self._fitness = fitness or Fitness()
        self._preference = preference or Preference(tuple, farm.signals)
        self._verdict = Verdict(farm, who, checkpoints)
        self._insist = Insistence(lambda: heart.is_draining)
        # Two claims of one worker at once could both find that it holds no suspect.
        self._claiming = Lock()

    @property
    def is_draining(self) -> bool:
        return self._heart.is_draining

    def do(self, job_id: str, stage: Stage, model: str | None = None) -> None:
        """Do the stage if it is still to be done. Returns normally whatever became of it.

        `model` is the job's, if the hint said so. Without a database nothing can be
        marked: the row stays due, or its lease runs out, and the janitor sees to it.
        """
        try:
            self._claim_and_do(job_id, stage, model)
        except DatabaseUnavailable as error:
            _log.warning("stage_put_off", job=job_id, stage=stage.value, error=error.message)
        except BaseException:
            # What left a task here (MemoryError, SystemExit) would take one of the
            # worker's slots with it for good.
            _log.exception("stage_put_off", job=job_id, stage=stage.value)

    def _claim_and_do(self, job_id: str, stage: Stage, model: str | None) -> None:
        lease = self._claim(job_id, stage, model)
        if lease is None:
            self._nudge.now()  # the hint took up room in the queue for nothing
            return
        if lease.job_id != job_id:
            self._nudge.now()  # the job of the hint made way, and is due again
        fault("after_claim")
        following: Lease | None = lease
        while following is not None:
            following = self._do_held(following)
        fault("after_commit_before_ack")
        self._nudge.now()

    def _claim(self, job_id: str, stage: Stage, model: str | None) -> Lease | None:
        first = self._preference.before(job_id, model)
        lease_s = self._farm.settings.lease_s
        with self._claiming:
            return claim(self._farm.db, job_id, stage, self._who, lease_s, first)

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
            self._insist.on_commit(control, partial(self._verdict.record, control, error))
        self._verdict.clear_up(control.lease, error)
        if control.lease.stage is Stage.DENOISE:
            self._checkpoints.flush(control.lease)

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
        put = partial(self._farm.artifacts.put, key, blob, durable=lease.rewinds > 0)
        self._insist.on_storing(control, put)
        fault("after_store_before_commit")
        keep = partial(advance_and_keep, db, lease, key, self._who, lease_s, control.notes)
        return self._insist.on_commit(control, keep)

    def _publish(self, control: LeaseControl, pictures: list[Picture]) -> None:
        lease, storage = control.lease, self._farm.storage
        images = [
            self._insist.on_storing(
                control, partial(store_picture, storage, lease.job_id, index, picture)
            )
            for index, picture in enumerate(pictures)
        ]
        fault("after_store_before_commit")
        finish = partial(commit.finish, self._farm.db, lease, images, control.notes)
        artifact_keys = self._insist.on_commit(control, finish)
        if artifact_keys is None:
            raise LeaseLost("another attempt has the job")
        self._farm.artifacts.delete(artifact_keys)
        self._farm.signals.forget_preview(lease.job_id)
