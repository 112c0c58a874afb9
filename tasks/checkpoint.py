"""Where a denoise stands, kept so that another worker can go on from there."""

from threading import Condition, Thread

import structlog

from myriad.artifact import ArtifactStore, checkpoint_of
from myriad.errors import ArtifactMissing, MyriadError
from myriad.lease import Lease

_FLUSH_S = 10.0

_log = structlog.get_logger(__name__)


def checkpoint_key(lease: Lease) -> str:
    """Named after the denoise's input: after a rewind there is another one.

    Two attempts at one input share the key. Either's checkpoint is a whole state
    of the same run, so whichever was written last is right (docs/decisions/0008).
    """
    return checkpoint_of(str(lease.artifact_key))


class Checkpoints:
    """A thread that writes; the last blob given for a job stands.

    Losing one costs steps, never a job: what cannot be stored is logged and
    forgotten. `count` is how many were stored.
    """

    def __init__(self, artifacts: ArtifactStore) -> None:
        self._artifacts = artifacts
        self.count = 0
        self._waiting: dict[str, tuple[bytes, bool]] = {}
        self._writing: str | None = None
        self._written: set[str] = set()
        self._changed = Condition()
        self._is_closing = False
        self._thread = Thread(target=self._loop, name="checkpoints", daemon=True)
        self._thread.start()

    def keep(self, lease: Lease, blob: bytes) -> None:
        """Have `blob` written, in place of one that still waits; returns at once."""
        with self._changed:
            self._waiting[checkpoint_key(lease)] = (blob, lease.rewinds > 0)
            self._changed.notify_all()

    def read(self, lease: Lease) -> bytes | None:
        """What an earlier attempt left. Raises StorageUnavailable: better wait than start anew."""
        if not _is_retry(lease):
            return None
        try:
            return self._artifacts.get(checkpoint_key(lease))
        except ArtifactMissing:
            return None

    def flush(self, lease: Lease) -> None:
        """Wait until what was given for this job is written, or could not be."""
        key = checkpoint_key(lease)
        with self._changed:
            self._changed.wait_for(
                lambda: key not in self._waiting and key != self._writing, _FLUSH_S
            )
            self._written.discard(key)  # somebody else's to forget from now on

    def forget(self, lease: Lease) -> None:
        """The denoise is over, or must begin anew."""
        key = checkpoint_key(lease)
        with self._changed:
            self._waiting.pop(key, None)
            self._changed.wait_for(lambda: key != self._writing, _FLUSH_S)
            was_written = key in self._written
            self._written.discard(key)
        if was_written or _is_retry(lease):
            self._artifacts.delete([key])

    def close(self) -> None:
        """Write what was given, then stop."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        self._thread.join(_FLUSH_S)

    def _loop(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._is_closing)
                if not self._waiting:
                    return
                key = next(iter(self._waiting))
                blob, is_durable = self._waiting.pop(key)
                self._writing = key
                self._written.add(key)
            self._write(key, blob, is_durable)
            with self._changed:
                self._writing = None
                self._changed.notify_all()

    def _write(self, key: str, blob: bytes, is_durable: bool) -> None:
        try:
            self._artifacts.put(key, blob, durable=is_durable)
            self.count += 1
        except MyriadError as error:
            _log.warning("checkpoint_not_kept", key=key, error=error.message)
        except Exception:
            _log.exception("checkpoint_not_kept", key=key)


def _is_retry(lease: Lease) -> bool:
    """Whether somebody may have been at this denoise before: its input was not made just now."""
    if lease.artifact_key is None:
        return False
    made_by = int(lease.artifact_key.rsplit("-", 1)[1])
    return lease.attempt > made_by + 1
