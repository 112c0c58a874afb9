"""What happens at every step of a request, between the pipeline and its control."""

from collections.abc import Callable

from torch import Tensor

from myriad.errors import Preempted, ShuttingDown
from tasks.runner import Control
from workers.batching.request import Request, current_request
from workers.checkpoint import Checkpoint
from workers.denoising import Step

Draw = Callable[[Tensor], bytes]


class Misfit(Exception):
    """The checkpoint is of a run that this one does not repeat; to be begun anew without it."""


class Watch:
    """A step hook: progress, previews, checkpoints, and stopping when the control says so.

    With a `resume_from` the steps it has behind it are not done again: the
    denoiser is not asked until they are over. `draw` makes a small JPEG of
    latents. `let_others` is called after each step of a request that meets nobody
    at a model and would else keep the engine to its end. Raises Misfit at the
    first step if the checkpoint cannot be used.
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
        self._request.steps_left = step.total - step.done
        if self._resume_from and self._request.is_skipping:
            return self._skip(self._resume_from, step)
        self._control.progress(step.done, step.total)
        try:
            self._control.check()
        except (Preempted, ShuttingDown):
            self._keep(step)
            raise
        if self._control.wants_checkpoint():
            self._keep(step)
        if self._draw and self._control.wants_preview():
            self._control.preview(self._draw(step.latents))
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

    def _keep(self, step: Step) -> None:
        if step.done < step.total:
            self._control.checkpoint(Checkpoint.of(step).dump())


def _request_here() -> Request:
    request = current_request()
    if request is None:
        raise RuntimeError("a step is watched inside a request of the hub")
    return request
