"""What the hub is told of a job."""

import time
from datetime import datetime

from myriad import clock
from myriad.job import Stage
from myriad.lease import Lease
from tasks.runner import Control
from workers.batching.request import Terms


def terms_of(stage: Stage, lease: Lease, control: Control) -> Terms:
    """What a stage of this lease asks of the hub."""
    params = lease.params
    return Terms(
        steps=params.num_inference_steps if stage is Stage.DENOISE else params.num_images,
        # Over all its stages here: a decode, one pass, does not begin to wait behind others
        # when many steps have been waited for. Not since it was created: who comes from a
        # long queue would leave no turn to those who come anew.
        arrived=lease.held_since,
        deadline=_on_this_clock(lease.deadline_at),
        reproducible=lease.params.reproducible,
        on_notice=control.note,
        check=control.check,
    )


def _on_this_clock(moment: datetime | None) -> float | None:
    """A date as a moment of `time.monotonic()`."""
    if moment is None:
        return None
    return time.monotonic() + (moment - clock.now()).total_seconds()
