"""The Celery tasks, one per stage, over one base task."""

from typing import ClassVar

from celery import Celery, Task
from celery.exceptions import Reject

from myriad.job import Stage
from tasks.app import task_name
from tasks.dispatch import MODEL
from tasks.work import StageWork


class StageTask(Task):  # type: ignore[type-arg]
    """Carries a job's id, and its model if the hint tells, to `StageWork.do`."""

    abstract = True
    stage: ClassVar[Stage]

    def __init__(self, work: StageWork) -> None:
        self._work = work

    def run(self, job_id: str) -> None:
        if self._work.is_draining:
            raise Reject("the worker is going away", requeue=True)
        self._work.do(job_id, self.stage, self.request.get(MODEL))


class EncodeTask(StageTask):
    """Prompt to embeddings."""

    stage = Stage.ENCODE
    name = task_name(Stage.ENCODE)


class DenoiseTask(StageTask):
    """Embeddings to latents."""

    stage = Stage.DENOISE
    name = task_name(Stage.DENOISE)


class DecodeTask(StageTask):
    """Latents to pictures."""

    stage = Stage.DECODE
    name = task_name(Stage.DECODE)


def register_stages(app: Celery, work: StageWork) -> None:
    """Make the app able to run every stage."""
    for task in (EncodeTask, DenoiseTask, DecodeTask):
        app.register_task(task(work))
