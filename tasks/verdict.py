"""What becomes of a stage that did not end well: put into SQL, and cleared up after."""

import structlog

from myriad.claimant import Claimant
from myriad.db import commit
from myriad.db.deadline import expire
from myriad.db.device_loss import times_lost
from myriad.db.sweep import is_run_live, live_jobs_among
from myriad.db.urgent import PREEMPTED
from myriad.errors import (
    ArtifactMissing,
    DeadlineExceeded,
    DeviceLost,
    LeaseLost,
    MyriadError,
    OutOfMemory,
    Preempted,
    ShuttingDown,
    Unavailable,
)
from myriad.farm import Farm
from myriad.job import Stage
from myriad.lease import Lease
from tasks.checkpoint import Checkpoints
from tasks.control import LeaseControl
from tasks.neighbours import other_pools

_AWAY_PAUSE_S = 3.0
_FREE_DEVICE_LOSSES = 1

_log = structlog.get_logger(__name__)


class Verdict:
    """Decides by the error alone. Raises DatabaseUnavailable where nothing can be written."""

    def __init__(self, farm: Farm, who: Claimant, checkpoints: Checkpoints) -> None:
        self._farm, self._who, self._checkpoints = farm, who, checkpoints

    def record(self, control: LeaseControl, error: MyriadError) -> None:
        """Hand the job back, rewind it, let it go, or count a try against it."""
        db, lease, notes = self._farm.db, control.lease, control.notes
        match error:
            case ShuttingDown():
                commit.hand_back(db, lease, notes=notes)
            case Preempted():
                commit.hand_back(db, lease, how=PREEMPTED, notes=notes)
            case Unavailable():
                _log.warning("stage_put_off", code=error.code, error=error.message)
                commit.hand_back(db, lease, delay_s=_AWAY_PAUSE_S, notes=notes)
            case DeadlineExceeded():
                expire(db, lease.job_id)
            case LeaseLost():
                _log.info("stage_dropped", why=error.message)
            case ArtifactMissing():
                _log.warning("job_rewound", why=error.message)
                self._forget_checkpoint(lease)
                commit.rewind(db, lease, delay_s=self._farm.retry_rule.delay_s)
            case DeviceLost() if times_lost(db, lease.job_id) < _FREE_DEVICE_LOSSES:
                # It broke under all who were on it. Whose fault it was, if anyone's, shows as
                # they are tried apart (`claim`): who loses a second device loses a try too.
                _log.warning("stage_put_off", code=error.code, error=error.message)
                commit.hand_back(db, lease, how=error.code, error=error, notes=notes)
            case _:
                self._give_up(control, error)

    def clear_up(self, lease: Lease, error: MyriadError) -> None:
        """If the job has ended, forget what was kept for it alone."""
        if isinstance(error, (ShuttingDown, Preempted, Unavailable)):
            return
        if live_jobs_among(self._farm.db, {lease.job_id}):
            return
        self._farm.signals.forget_preview(lease.job_id)
        if not is_run_live(self._farm.db, lease.job_id):
            self._forget_checkpoint(lease)

    def _give_up(self, control: LeaseControl, error: MyriadError) -> None:
        lease = control.lease
        _log.warning("stage_failed", code=error.code, error=error.message)
        others: set[str] = set()
        if isinstance(error, OutOfMemory):
            others = other_pools(self._farm, self._who.pool, lease.stage, lease.model)
        else:
            # It may be what failed the stage: the next try begins anew.
            self._forget_checkpoint(lease)
        commit.give_up(
            self._farm.db, lease, error, self._farm.retry_rule, notes=control.notes, others=others
        )

    def _forget_checkpoint(self, lease: Lease) -> None:
        if lease.stage is Stage.DENOISE:
            self._checkpoints.forget(lease)
