"""What happens at every step of a request, between the pipeline and its control."""

from collections.abc import Callable

import structlog
from torch import Tensor

from myriad.errors import Preempted, ShuttingDown
from tasks.runner import Control
from workers.batching.request import Request, current_request
from workers.checkpoint import Checkpoint
from workers.denoising import Step
from workers.device_loss import is_device_lost
from workers.error import short

Draw = Callable[[Tensor], bytes]

_log = structlog.get_logger(__name__)


class Misfit(Exception):
    """The checkpoint is of a run that this one does not repeat; to be begun anew without it."""


class Watch:
    """A step hook: progress, previews, checkpoints, and stopping when the control says so.

    With a `resume_from` the steps it has behind it are not done again: the
    denoiser is not asked until they are over. `draw` makes a small JPEG of
    latents; should it fail, the request has no more previews. `let_others` is called
    after each step, for a request that meets nobody at a model and would else keep the
    engine to its end. Raises Misfit at the first step if the checkpoint cannot be used.
    """

    def __init__(
        self,
        control: Control,
        draw: Draw | None = None,
        resume_from: Checkpoint | None = None,
        let_others: Callable[[], None] = lambda: None,
    ) -> None:
        self._control, self._draw, self._resume_from = control, draw, resume_from
        self._let_others = let_others
        self._request = _request_here()
        self._request.is_skipping = resume_from is not None

    def __call__(self, step: Step) -> Tensor | None:
        self._request.stepped(step.total - step.done)
        if self._resume_from and self._request.is_skipping:
            latents = self._skip(self._resume_from, step)
            self._let_others()
            return latents
        self._control.progress(step.done, step.total)
        try:
            self._control.check()
        except (Preempted, ShuttingDown):
            self._keep(step)
            raise
        if self._control.wants_checkpoint():
            self._keep(step)
        if self._draw and self._control.wants_preview():
            self._show(self._draw, step.latents)
        self._let_others()
        return None

    def _skip(self, checkpoint: Checkpoint, step: Step) -> Tensor | None:
        if not checkpoint.fits(step):
            self._request.is_skipping = False
            raise Misfit
        if step.done < checkpoint.done:
            self._control.check()  # a denoiser where requests do not meet does not skip
            return None
        self._request.is_skipping = False
        self._control.note(f"resumed after step {step.done} of {step.total}")
        self._control.progress(step.done, step.total)
        self._control.check()
        return checkpoint.restore(step)

    def _show(self, draw: Draw, latents: Tensor) -> None:
        try:
            image = draw(latents)
        except Exception as error:  # a picture on the way is not worth the one at the end
            if is_device_lost(error):
                raise
            _log.warning("no_previews", error=short(error))
            self._draw = None
        else:
            self._control.preview(image)

    def _keep(self, step: Step) -> None:
        if step.done < step.total:
            self._control.checkpoint(Checkpoint.of(step).dump())


def _request_here() -> Request:
    request = current_request()
    if request is None:
        raise RuntimeError("a step is watched inside a request of the hub")
    return request
