"""One stage of one job, from hint to commit: re-read, check, act, mark."""

import hashlib
from threading import Lock

import structlog

from myriad.artifact import artifact_key
from myriad.db import commit
from myriad.db.claim import Claimant, claim
from myriad.db.jobs import artifact_keys_of
from myriad.db.tables import ImageRow
from myriad.errors import (
    ArtifactMissing,
    DatabaseUnavailable,
    LeaseLost,
    MyriadError,
    ShuttingDown,
    StageFailed,
    Unavailable,
)
from myriad.farm import Farm
from myriad.job import Stage
from myriad.lease import Lease
from tasks.heart import Heart
from tasks.nudge import Nudge
from tasks.runner import Control, Picture, StageRunner

_SUFFIX = {"image/png": "png", "image/webp": "webp", "image/jpeg": "jpg"}

_AWAY_PAUSE_S = 3.0

_log = structlog.get_logger(__name__)


class StageWork:
    """What the Celery tasks of one worker process stand on."""

    def __init__(
        self, farm: Farm, runner: StageRunner, who: Claimant, heart: Heart, nudge: Nudge
    ) -> None:
        self._farm, self._runner, self._who = farm, runner, who
        self._heart, self._nudge = heart, nudge
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
        with structlog.contextvars.bound_contextvars(
            job=job_id, stage=stage.value, attempt=lease.attempt
        ):
            self._do(lease)
        self._nudge.now()

    def _do(self, lease: Lease) -> None:
        db, rule = self._farm.db, self._farm.retry_rule
        try:
            with self._heart.hold(lease) as control:
                self._perform(lease, control)
        except ShuttingDown:
            commit.hand_back(db, lease)
        except LeaseLost as error:
            _log.info("stage_dropped", why=error.message)
        except ArtifactMissing as error:
            _log.warning("job_rewound", why=error.message)
            commit.rewind(db, lease, delay_s=rule.delay_s)
        except Unavailable as error:
            _log.warning("stage_put_off", code=error.code, error=error.message)
            commit.hand_back(db, lease, delay_s=_AWAY_PAUSE_S)
        except MyriadError as error:
            _log.warning("stage_failed", code=error.code, error=error.message)
            commit.give_up(db, lease, error, rule)
        except BaseException as error:
            _log.exception("stage_broke")
            commit.give_up(db, lease, StageFailed(f"{type(error).__name__} in {lease.stage}"), rule)

    def _perform(self, lease: Lease, control: Control) -> None:
        control.check()
        if lease.stage is Stage.ENCODE:
            self._pass_on(lease, self._runner.encode(lease, control))
        elif lease.stage is Stage.DENOISE:
            self._pass_on(lease, self._runner.denoise(lease, self._input(lease), control))
        else:
            self._publish(lease, self._runner.decode(lease, self._input(lease), control))

    def _input(self, lease: Lease) -> bytes:
        if lease.artifact_key is None:
            raise ArtifactMissing(f"{lease.stage} has no input")
        return self._farm.artifacts.get(lease.artifact_key)

    def _pass_on(self, lease: Lease, blob: bytes) -> None:
        # A job that was rewound once has met a broker that forgets: its
        # artifacts go where they last.
        key = artifact_key(lease.job_id, lease.stage, lease.attempt)
        self._farm.artifacts.put(key, blob, durable=lease.rewinds > 0)
        if not commit.advance(self._farm.db, lease, key):
            raise LeaseLost("another attempt has the job")

    def _publish(self, lease: Lease, pictures: list[Picture]) -> None:
        images = [self._store(index, picture) for index, picture in enumerate(pictures)]
        if not commit.finish(self._farm.db, lease, images):
            raise LeaseLost("another attempt has the job")
        self._farm.artifacts.delete(artifact_keys_of(self._farm.db, lease.job_id))

    def _store(self, index: int, picture: Picture) -> ImageRow:
        # Named by content: a zombie and the winner write the same bytes to the
        # same key, or different bytes to different keys.
        digest = hashlib.sha256(picture.data).hexdigest()
        key = f"images/{digest[:2]}/{digest}.{_SUFFIX[picture.content_type]}"
        stored = self._farm.storage.put(key, picture.data, picture.content_type)
        thumbnail_key = None
        if picture.thumbnail:
            thumbnail_key = f"images/{digest[:2]}/{digest}-thumbnail.webp"
            self._farm.storage.put(thumbnail_key, picture.thumbnail, "image/webp")
        return ImageRow(
            index=index,
            storage_key=key,
            thumbnail_key=thumbnail_key,
            sha256=stored.sha256,
            size_bytes=stored.size_bytes,
            content_type=picture.content_type,
            seed=picture.seed,
            width=picture.width,
            height=picture.height,
        )
