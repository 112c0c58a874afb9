"""Retention: what has been kept long enough goes, and stored bytes that nobody has."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import PurePosixPath

import structlog

from myriad import clock
from myriad.artifact import STORAGE_PREFIX, checkpoint_of
from myriad.db.retention import (
    JOBS_AT_ONCE,
    ROWS_AT_ONCE,
    expire_history,
    expire_inputs,
    expire_jobs,
    owned_files,
    owned_inputs,
    storage_known_since,
)
from myriad.db.sweep import artifacts_of_live_jobs, live_jobs_among
from myriad.farm import Farm
from myriad.forget import delete_some, forget
from myriad.inputs import INPUT_PREFIX
from myriad.log_files import LogFiles
from tasks.files import PICTURE_PREFIX, job_of_picture
from tasks.round import Round
from tasks.scrub import Scrub

ORPHAN_AGE = timedelta(hours=6)
"""Younger bytes may be just about to get their row."""

_log = structlog.get_logger(__name__)


class Sweeper:
    """One small batch of everything at a time; any number of sweepers may be at it.

    Bytes are deleted only after it is certain that no row has them, nor can get them:
    docs/decisions/0018.
    """

    def __init__(self, farm: Farm) -> None:
        self._farm = farm
        self._artifacts, self._pictures, self._inputs = (
            Round(farm.storage, prefix) for prefix in (STORAGE_PREFIX, PICTURE_PREFIX, INPUT_PREFIX)
        )
        self._scrub = Scrub(farm)
        self._logs = LogFiles(farm.settings.home / "logs", farm.settings.keep_logs_days)

    def run(self) -> bool:
        """Sweep a batch; True if more is waiting. Raises Unavailable."""
        try:
            self._logs.sweep()
        except OSError as error:
            _log.warning("logs_not_put_aside", error=str(error))
        self._scrub.run()
        storage_known_since(self._farm.db)  # told by the oldest job, before that expires
        has_more = self._expire()
        self.drop_artifacts()
        self.drop_orphans(clock.now() - ORPHAN_AGE)
        return has_more

    def drop_artifacts(self) -> None:
        """Delete stored artifacts whose job has ended and that no heir of its run goes on from."""
        before = clock.now() - timedelta(seconds=self._farm.settings.artifact_ttl_s)
        past = self._artifacts.written(before)
        # In this order: a run that is handed over in between has its heir by the second question.
        live = live_jobs_among(self._farm.db, {_job_of_artifact(key) for key in past})
        left = [key for key in past if _job_of_artifact(key) not in live]
        if left:
            inherited = artifacts_of_live_jobs(self._farm.db)
            wanted = {STORAGE_PREFIX + key for key in (*inherited, *map(checkpoint_of, inherited))}
            self._delete(key for key in left if key not in wanted)

    def drop_orphans(self, before: datetime) -> None:
        """Delete pictures without a job and inputs without a caller, written before that.

        What is older than the database's own first look may be another farm's.
        """
        since = storage_known_since(self._farm.db)
        pictures = self._pictures.written(before, since)
        # In this order: a job that ends in between has its rows by then.
        live = live_jobs_among(self._farm.db, {job_of_picture(key) for key in pictures})
        owned = owned_files(self._farm.db, pictures)
        self._delete(
            key for key in pictures if key not in owned and job_of_picture(key) not in live
        )
        inputs = self._inputs.written(before, since)
        owned = owned_inputs(self._farm.db, {_digest_of(key) for key in inputs})
        self._delete(
            key for key in inputs if _digest_of(key) not in owned and self._is_idle(key, before)
        )

    def _expire(self) -> bool:
        db, settings = self._farm.db, self._farm.settings
        has_more = False
        if settings.keep_results_days:
            remains = expire_jobs(db, _days_ago(settings.keep_results_days))
            forget(self._farm, remains)
            _tell("results_expired", len(remains.job_ids))
            has_more |= len(remains.job_ids) == JOBS_AT_ONCE
        if settings.keep_inputs_days:
            gone = expire_inputs(db, _days_ago(settings.keep_inputs_days))
            _tell("inputs_expired", gone)
            has_more |= gone == ROWS_AT_ONCE
        if settings.keep_history_days:
            has_more |= expire_history(db, _days_ago(settings.keep_history_days)) >= ROWS_AT_ONCE
        return has_more

    def _is_idle(self, key: str, before: datetime) -> bool:
        """Asked again right before: handing an input in writes its bytes, then its row."""
        modified = dict(self._farm.storage.list_keys(key)).get(key)
        is_old = modified is not None and modified < before
        return is_old and not owned_inputs(self._farm.db, [_digest_of(key)])

    def _delete(self, keys: Iterable[str]) -> None:
        _tell("stored_bytes_swept", delete_some(self._farm.storage, keys))


def _days_ago(days: float) -> datetime:
    return clock.now() - timedelta(days=days)


def _job_of_artifact(key: str) -> str:
    return key.removeprefix(STORAGE_PREFIX).split("-")[0]


def _digest_of(key: str) -> str:
    return PurePosixPath(key).stem


def _tell(what: str, count: int) -> None:
    if count:
        _log.info(what, count=count)
