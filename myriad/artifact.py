"""What one stage hands to the next: small in Redis with a time limit, else in object storage."""

import hashlib
from collections.abc import Iterable

import structlog
from redis import Redis
from redis.exceptions import RedisError

from myriad.errors import ArtifactMissing, MyriadError, NotFound, ObjectDamaged
from myriad.job import Stage
from myriad.redis_room import RedisRoom
from myriad.storage.base import Storage

STORAGE_PREFIX = "artifacts/"
_REDIS_PREFIX = "myriad:artifact:"
_DIGEST_BYTES = hashlib.sha256().digest_size
_CONTENT_TYPE = "application/octet-stream"

_log = structlog.get_logger(__name__)


def artifact_key(job_id: str, stage: Stage, attempt: int) -> str:
    """Names the output of one attempt, so that a zombie never overwrites the winner's."""
    return f"{job_id}-{stage.value}-{attempt}"


def checkpoint_of(artifact: str) -> str:
    """Names where a denoise of that artifact stands."""
    return f"{artifact}-checkpoint"


class ArtifactStore:
    """Opaque bytes by key, each kept with its SHA-256: a torn value counts as missing.

    Losing one costs a stage's work, never a job, so Redis is good enough for
    what fits `inline_bytes`, as long as it has room; it forgets after `ttl_s` seconds.
    Everything else goes to `storage` under `artifacts/`, where the sweeper finds leftovers.
    """

    def __init__(
        self, redis_client: Redis, storage: Storage, ttl_s: float, inline_bytes: int
    ) -> None:
        self._redis = redis_client
        self._room = RedisRoom(redis_client)
        self._storage = storage
        self._ttl_ms = max(1, int(ttl_s * 1000))
        self._inline_bytes = inline_bytes

    def put(self, key: str, data: bytes, durable: bool = False) -> str:
        """Keep `data` and return `key`; `durable` survives the loss of Redis.

        Raises StorageUnavailable when storage is needed and away.
        """
        blob = hashlib.sha256(data).digest() + data
        is_inline = not durable and len(data) <= self._inline_bytes and self._room.has_room
        if not (is_inline and self._put_inline(key, blob)):
            self._storage.put(STORAGE_PREFIX + key, blob, _CONTENT_TYPE)
        return key

    def get(self, key: str) -> bytes:
        """The bytes, or ArtifactMissing, also while Redis is away: then the job is rewound.

        Raises StorageUnavailable when storage is needed and away.
        """
        data = _checked(self._get_inline(key))
        if data is None:
            data = _checked(self._get_stored(key))
        if data is None:
            raise ArtifactMissing(f"artifact {key} is gone")
        return data

    def delete(self, keys: Iterable[str]) -> None:
        """Forget `keys` as far as Redis and storage can be reached; never raises for them."""
        for key in keys:
            try:
                if not self._redis.unlink(_REDIS_PREFIX + key):
                    self._storage.delete(STORAGE_PREFIX + key)
            except (RedisError, MyriadError) as error:
                _log.warning("artifact_not_deleted", key=key, error=str(error))

    def _put_inline(self, key: str, blob: bytes) -> bool:
        try:
            self._redis.set(_REDIS_PREFIX + key, blob, px=self._ttl_ms)
        except RedisError as error:
            _log.warning("artifact_not_inline", key=key, error=str(error))
            return False
        return True

    def _get_inline(self, key: str) -> bytes | None:
        try:
            blob = self._redis.get(_REDIS_PREFIX + key)
        except RedisError as error:
            _log.warning("artifact_not_readable", key=key, error=str(error))
            return None
        return blob if isinstance(blob, bytes) else None

    def _get_stored(self, key: str) -> bytes | None:
        try:
            return self._storage.get(STORAGE_PREFIX + key)
        except (NotFound, ObjectDamaged):
            return None


def _checked(blob: bytes | None) -> bytes | None:
    """The payload of a blob whose digest is right, else None."""
    if blob is None:
        return None
    digest, data = blob[:_DIGEST_BYTES], blob[_DIGEST_BYTES:]
    return data if hashlib.sha256(data).digest() == digest else None
