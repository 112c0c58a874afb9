"""Taking out of storage and Redis what deleted jobs have left there."""

from collections.abc import Iterable
from time import monotonic

import structlog

from myriad.db.delete import Remains
from myriad.errors import StorageUnavailable
from myriad.farm import Farm
from myriad.storage.base import Storage

_BUDGET_S = 5.0

_log = structlog.get_logger(__name__)


def forget(farm: Farm, remains: Remains) -> None:
    """Delete files, artifacts and signals; what a store that is away keeps is swept later."""
    try:
        done = delete_some(farm.storage, remains.files)
    except StorageUnavailable as error:
        _log.warning("files_left_to_the_sweeper", files=len(remains.files), error=error.message)
    else:
        if left := len(remains.files) - done:
            _log.warning("files_left_to_the_sweeper", files=left, error="storage is slow")
    farm.artifacts.delete(remains.artifacts)
    for job_id in remains.job_ids:
        farm.signals.forget(job_id)


def delete_some(storage: Storage, keys: Iterable[str]) -> int:
    """Delete for a few seconds at most; how many. Raises StorageUnavailable."""
    done, until = 0, monotonic() + _BUDGET_S
    for key in keys:
        if monotonic() > until:
            break
        storage.delete(key)
        done += 1
    return done
